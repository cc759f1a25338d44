-- Published documents whose word index is not what lengths promises, or covers some of their chunks only.
SELECT documents.path AS path
FROM
(
    SELECT generation, path, chunk_count FROM live_documents(epoch = {epoch:UInt64})
) AS documents
INNER JOIN
(
    SELECT generation, sum(chunks) AS chunk_count, sum(promised) AS promised, sum(stored) AS stored,
        sum(promised_checksum) AS promised_checksum, sum(stored_checksum) AS stored_checksum
    FROM
    (
        SELECT generation, 1 AS chunks, toUInt64(postings) AS promised, checksum AS promised_checksum,
            0 AS stored, toUInt64(0) AS stored_checksum
        FROM lengths
        UNION ALL
        SELECT generation, 0, 0, 0, 1, toUInt64(CRC32(term)) * frequency * (toUInt64(chunk_index) + 1)
        FROM postings
    )
    GROUP BY generation
) AS words ON documents.generation = words.generation
WHERE words.chunk_count != documents.chunk_count
    OR words.promised != words.stored
    OR words.promised_checksum != words.stored_checksum
ORDER BY path
