-- The generations at an epoch with a chunk that passes a filter.
SELECT DISTINCT generation
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
) /* filter */
ORDER BY generation
