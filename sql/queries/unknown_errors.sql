-- How many chunks at an epoch have a rounding error that nobody knows.
SELECT count() AS chunk_count
FROM chunks
WHERE isInfinite(error)
    AND generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
