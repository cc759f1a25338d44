-- The k best of the chunks at some places, whose BM25 scores come with the places, by words and meaning together:
-- score = share * cosine + (1 - share) * BM25 / (the BM25 of a chunk with every word of the question without end).
-- Each chunk gets both scores exactly, whichever search has found it.
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
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS vector_score,
    {vector_share:Float64} * vector_score + (1 - {vector_share:Float64}) * bm25_score / {most:Float64} AS score
FROM chunks
WHERE (generation, chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
ORDER BY score DESC, document_id, chunk_index
LIMIT {per_document:UInt32} BY document_id
LIMIT {k:UInt32}
