-- The newest manifest row of every document at an epoch, deletions among them.
SELECT
    document_id, epoch, generation, kind, path, source, title, format, encoding, content_sha256, content_bytes, chunker,
    chunk_count, row_hash_sum, place_count, place_checksum, calibration
FROM manifest
WHERE epoch <= {epoch:UInt64}
ORDER BY document_id, epoch DESC
LIMIT 1 BY document_id
