-- Chunks of version 1 by their generations, whole.
SELECT
    generation, chunk_index, document_id, source, title, heading, char_start, char_end, line, page, tokens, text, codes,
    scale, zero_point, norm, row_hash
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
