-- The chunks of some documents at an epoch, in reading order; nothing is compared, so the score of each is 1.
SELECT
    source,
    title,
    heading,
    char_start,
    char_end,
    line,
    page,
    place_name,
    text,
    metadata,
    document_id,
    cell,
    generation,
    chunk_index,
    1. AS score
FROM chunks
WHERE document_id IN {document_ids:Array(UUID)}
    AND generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
ORDER BY document_id, chunk_index
