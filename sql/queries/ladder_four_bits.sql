-- The k visible chunks nearest to a query by the upper four bits of their codes: each code is taken as the middle of the
-- sixteen that begin with these bits.
SELECT document_id, chunk_index, source
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY
    scale * (
        dotProduct({query:Array(Int16)}, arrayMap(code -> bitOr(bitAnd(code, -16), 8), codes))
        - zero_point * {query_sum:Int64} + {query_offset:Int64}
    ) DESC,
    document_id,
    chunk_index
LIMIT {k:UInt32}
