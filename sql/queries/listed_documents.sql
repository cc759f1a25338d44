-- Every document at an epoch, with what people want to know of it: when it was written, and how many places it has.
SELECT
    document_id, generation, path, source, title, format, content_sha256, content_bytes, chunker, chunk_count,
    row_hash_sum, place_count, toUnixTimestamp64Milli(written_at) AS written_milliseconds
FROM live_documents(epoch = {epoch:UInt64})
ORDER BY path
