-- The vectors of all chunks, which do not change while the chunks are there: a small store is asked once while an epoch lasts.
-- Rows of drafts and old versions come too; whoever asks knows what is published.
SELECT generation, chunk_index, codes, scale, zero_point
FROM chunks
