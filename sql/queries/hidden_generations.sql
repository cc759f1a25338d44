-- Generations that hold chunks and that readers at an epoch do not see: superseded, deleted, abandoned, or begun later.
SELECT DISTINCT generation
FROM chunks
WHERE generation NOT IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY generation
LIMIT {limit:UInt32}
