-- The k documents nearest to a query, each by its best chunk.
SELECT
    source,
    document_id,
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
LIMIT 1 BY document_id
LIMIT {k:UInt32}
