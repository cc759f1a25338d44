-- Every chunk at an epoch without its vector, in the order of the table.
SELECT generation, chunk_index, document_id, heading, char_start, char_end, line, page, place_name, tokens, text, outline
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY generation, chunk_index
