-- Every document at an epoch, with what tells whether its file has changed.
SELECT
    document_id, generation, path, source, title, format, content_sha256, content_bytes, chunker, chunk_count,
    row_hash_sum
FROM live_documents(epoch = {epoch:UInt64})
ORDER BY path
