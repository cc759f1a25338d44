-- The manifest rows that published some generations.
SELECT
    document_id, epoch, generation, kind, path, source, title, format, encoding, content_sha256, content_bytes, chunker,
    chunk_count, row_hash_sum, place_count, place_checksum, calibration
FROM manifest
WHERE generation IN {generations:Array(UInt64)} AND kind = 'publish'
ORDER BY generation
