-- Some of the documents at an epoch, by their ids.
SELECT
    document_id, generation, path, source, title, format, content_sha256, content_bytes, chunker, chunk_count,
    row_hash_sum
FROM live_documents(epoch = {epoch:UInt64})
WHERE document_id IN {document_ids:Array(UUID)}
ORDER BY path
