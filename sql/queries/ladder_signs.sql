-- The k visible chunks whose signs differ least from a query's: what the first of two stages would find alone.
SELECT
    document_id,
    chunk_index,
    source,
    bitHammingDistance(signs, toFixedString(unhex({query_signs:String}), {sign_bytes:UInt16})) AS distance
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY distance, document_id, chunk_index
LIMIT {k:UInt32}
