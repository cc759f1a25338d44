-- Places and scores of the k chunks that search_exact.sql finds.
SELECT
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
) /* filter */
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
