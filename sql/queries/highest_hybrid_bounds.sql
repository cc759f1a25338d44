-- The same by words and meaning together: the BM25 scores of the chunks with the highest ones are given, no other chunk
-- has a higher one than `rest`.
SELECT
    generation,
    chunk_index,
    document_id,
    transform((generation, chunk_index), arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)}),
        {scores:Array(Float64)}, {rest:Float64}) AS bm25_score,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS vector_score,
    {vector_share:Float64} * (vector_score
            + if(isInfinite(error), inf,
            error * {query_length:Float64} + norm * {query_error:Float64} + abs(vector_score) * exp2(-35)))
        + (1 - {vector_share:Float64}) * bm25_score / {most:Float64} AS upper
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
) /* filter */
ORDER BY upper DESC, generation, chunk_index
LIMIT {k:UInt32}
