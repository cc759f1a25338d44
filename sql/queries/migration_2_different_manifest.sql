-- Documents whose manifest rows differ between both versions of the table in anything but the sum of the hashes.
SELECT document_id
FROM
(
    SELECT document_id, 1 AS side, cityHash64(epoch, generation, kind, path, source, title, format, encoding,
        content_sha256, content_bytes, chunker, chunk_count) AS digest
    FROM manifest
    UNION ALL
    SELECT document_id, -1 AS side, cityHash64(epoch, generation, kind, path, source, title, format, encoding,
        content_sha256, content_bytes, chunker, chunk_count) AS digest
    FROM manifest_2
)
GROUP BY document_id
HAVING sum(side) != 0 OR sum(if(side = 1, digest, 0)) != sum(if(side = -1, digest, 0))
ORDER BY document_id
