-- The k visible chunks nearest to a query by the float32 vectors that were kept of them.
SELECT chunks.document_id AS document_id, chunks.chunk_index AS chunk_index
FROM float_references
INNER JOIN chunks
    ON float_references.generation = chunks.generation AND float_references.chunk_index = chunks.chunk_index
WHERE chunks.generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY dotProduct(vector, {vector:Array(Float64)}) DESC, document_id, chunk_index
LIMIT {k:UInt32}
