-- The chunks of some documents at an epoch, in reading order, as they are stored.
SELECT
    source, title, heading, char_start, char_end, line, page, text, document_id, chunk_index,
    codes, scale, zero_point
FROM live_chunks(epoch = {epoch:UInt64})
WHERE document_id IN {documents:Array(UUID)}
ORDER BY document_id, chunk_index
