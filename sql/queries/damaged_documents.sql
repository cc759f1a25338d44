-- Published documents whose chunks are not what the manifest promises; empty for a sound store.
SELECT
    documents.path AS path,
    documents.chunk_count AS promised,
    found.chunk_count AS stored
FROM
(
    SELECT generation, path, chunk_count, row_hash_sum FROM live_documents(epoch = {epoch:UInt64})
) AS documents
LEFT JOIN
(
    SELECT generation, count() AS chunk_count, uniqExact(chunk_index) AS indexes, max(chunk_index) AS last_index,
        sum(row_hash) AS row_hash_sum
    FROM chunks
    GROUP BY generation
) AS found ON documents.generation = found.generation
WHERE documents.chunk_count != found.chunk_count
    OR documents.row_hash_sum != found.row_hash_sum
    OR (documents.chunk_count > 0 AND (found.indexes != found.chunk_count OR found.last_index + 1 != found.chunk_count))
ORDER BY path
