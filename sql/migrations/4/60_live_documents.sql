-- The documents at an epoch: SELECT * FROM live_documents(epoch = 7).
CREATE OR REPLACE VIEW live_documents AS
SELECT
    document_id,
    argMax(manifest.generation, manifest.epoch) AS generation,
    max(manifest.epoch) AS published_epoch,
    argMax(manifest.path, manifest.epoch) AS path,
    argMax(manifest.source, manifest.epoch) AS source,
    argMax(manifest.title, manifest.epoch) AS title,
    argMax(manifest.format, manifest.epoch) AS format,
    argMax(manifest.content_sha256, manifest.epoch) AS content_sha256,
    argMax(manifest.content_bytes, manifest.epoch) AS content_bytes,
    argMax(manifest.chunker, manifest.epoch) AS chunker,
    argMax(manifest.chunk_count, manifest.epoch) AS chunk_count,
    argMax(manifest.row_hash_sum, manifest.epoch) AS row_hash_sum,
    argMax(manifest.place_count, manifest.epoch) AS place_count,
    argMax(manifest.place_checksum, manifest.epoch) AS place_checksum,
    argMax(manifest.written_at, manifest.epoch) AS written_at
FROM manifest
WHERE manifest.epoch <= {epoch:UInt64}
GROUP BY document_id
HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
