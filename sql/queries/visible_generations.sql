-- The generations that readers see at an epoch, each with its document and how many chunks it has; more than the limit are
-- not listed.
SELECT
    argMax(manifest.generation, manifest.epoch) AS generation,
    document_id,
    argMax(manifest.chunk_count, manifest.epoch) AS chunk_count
FROM manifest
WHERE manifest.epoch <= {epoch:UInt64}
GROUP BY document_id
HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
LIMIT {limit:UInt32}
