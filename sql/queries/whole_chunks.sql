-- The chunks of some generations with all their columns.
SELECT
    cell, generation, chunk_index, document_id, source, title, heading, char_start, char_end, line, page,
    place_name, tokens, text, metadata, outline, codes, scale, zero_point, norm, error, signs, row_hash
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
