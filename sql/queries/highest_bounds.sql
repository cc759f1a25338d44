-- The chunks that may have the highest scores by float32 vectors: of all that can be seen and pass the filter, those with
-- the highest upper bounds (sql/search/certificate.py derives them).
SELECT
    generation,
    chunk_index,
    document_id,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score,
    score + if(isInfinite(error), inf,
        error * {query_length:Float64} + norm * {query_error:Float64} + abs(score) * exp2(-35)) AS upper
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
