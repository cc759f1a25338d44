-- The manifest rows of the documents at an epoch, their ids and kinds as text.
SELECT
    toString(document_id) AS id, epoch, generation, path, source, title, toString(format) AS format,
    toString(encoding) AS encoding, content_sha256, content_bytes, toString(chunker) AS chunker, chunk_count,
    row_hash_sum, place_count, place_checksum, calibration
FROM manifest
WHERE epoch <= {epoch:UInt64} AND generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
    AND kind = 'publish'
ORDER BY path
