-- Copies the manifest. The hashes of visible generations become those of the copied chunks, which cover metadata too.
INSERT INTO manifest_2
SELECT
    manifest.document_id, manifest.epoch, manifest.generation, manifest.kind, manifest.path, manifest.source,
    manifest.title, manifest.format, manifest.encoding, manifest.content_sha256, manifest.content_bytes,
    manifest.chunker, manifest.chunk_count,
    if(manifest.kind = 'publish' AND copied.generation = manifest.generation, copied.row_hash_sum, manifest.row_hash_sum),
    0,
    manifest.written_at
FROM manifest
LEFT JOIN (SELECT generation, sum(row_hash) AS row_hash_sum FROM chunks_2 GROUP BY generation) AS copied
    ON manifest.generation = copied.generation
