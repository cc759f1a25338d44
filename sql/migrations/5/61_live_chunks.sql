-- The chunks that readers see at an epoch: SELECT source, line, text FROM live_chunks(epoch = 7).
CREATE OR REPLACE VIEW live_chunks AS
SELECT
    cell, generation, chunk_index, document_id, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata, codes, scale, zero_point, norm, error, signs
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
