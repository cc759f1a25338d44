-- The groups of some documents, as their newest versions have them: what the next version is given too.
SELECT DISTINCT document_id, group_name
FROM document_groups
WHERE document_id IN {document_ids:Array(UUID)} AND generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY document_id, group_name
