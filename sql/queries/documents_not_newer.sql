-- Some of the documents at an epoch, by their ids, without those that were published again after an earlier one.
SELECT
    document_id, generation, path, source, title, format, content_sha256, content_bytes, chunker, chunk_count,
    row_hash_sum
FROM live_documents(epoch = {epoch:UInt64})
WHERE document_id IN {document_ids:Array(UUID)} AND published_epoch <= {until:UInt64}
ORDER BY path
