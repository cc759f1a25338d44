-- Published generations with chunks that no cell of the newest version holds; as many as an epoch shall move.
SELECT generation, count() AS chunk_count
FROM chunks
WHERE (cell < {first_cell:UInt32} OR cell > {last_cell:UInt32}) AND generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
GROUP BY generation
ORDER BY generation
