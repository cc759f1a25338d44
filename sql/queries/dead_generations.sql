-- Generations that hold rows and that no reader at this epoch or later can see.
SELECT DISTINCT generation
FROM
(
    SELECT generation FROM chunks
    UNION ALL SELECT generation FROM texts
    UNION ALL SELECT generation FROM lengths
    UNION ALL SELECT generation FROM places
    UNION ALL SELECT generation FROM float_references
)
WHERE generation NOT IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY generation
