-- Chunks at an epoch whose float32 vector was kept, in an order that a digest of document and place decides.
SELECT
    chunks.document_id AS document_id,
    chunks.chunk_index AS chunk_index,
    chunks.generation AS generation,
    chunks.source AS source,
    chunks.heading AS heading,
    chunks.char_start AS char_start,
    chunks.char_end AS char_end,
    chunks.line AS line,
    chunks.page AS page,
    chunks.text AS text,
    chunks.outline AS outline,
    float_references.vector AS vector
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
ORDER BY sipHash64(document_id, chunk_index), document_id, chunk_index
LIMIT {sample:UInt32}
