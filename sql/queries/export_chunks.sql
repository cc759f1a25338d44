-- The chunks of some generations, for an export: all but what belongs to one store, its cells.
SELECT
    generation, chunk_index, toString(document_id) AS document_id, source, title, heading, char_start, char_end, line,
    page, place_name, tokens, text, metadata, outline, codes, scale, zero_point, norm, error,
    hex(signs) AS signs, row_hash
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
