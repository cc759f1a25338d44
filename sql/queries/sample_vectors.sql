-- Vectors of some visible chunks, the same ones for the same content of the table, in the columns that sql/upkeep/tend.py unpacks.
SELECT generation, chunk_index, codes, scale, zero_point
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY cityHash64(row_hash, chunk_index), generation, chunk_index
LIMIT {rows:UInt32}
