-- What bounds the part of every chunk's score that is due to rounding: it does not change while the chunk is there, so a small
-- store is asked once. Rows of drafts and old versions come too; whoever asks knows what is published.
SELECT
    generation,
    chunk_index,
    error,
    norm
FROM chunks
