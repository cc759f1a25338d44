-- The same chunks with their vectors as Array(Float32), for clients that know nothing of codes: live_vectors(epoch = 7).
CREATE VIEW IF NOT EXISTS live_vectors AS
SELECT document_id, chunk_index, source, heading, line, text, rag_dequantize(codes, scale, zero_point) AS vector
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
