-- The chunks at some places, best first; their scores come with the places.
SELECT
    source,
    title,
    heading,
    char_start,
    char_end,
    line,
    page,
    place_name,
    text,
    metadata,
    document_id,
    cell,
    generation,
    chunk_index,
    transform((generation, chunk_index), arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)}),
        {scores:Array(Float64)}, 0.) AS bm25_score,
    bm25_score AS score
FROM chunks
WHERE (generation, chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
ORDER BY score DESC, document_id, chunk_index
LIMIT {per_document:UInt32} BY document_id
LIMIT {k:UInt32}
