-- Source and text of every chunk at an epoch, in the order of the table.
SELECT source, text
FROM live_chunks(epoch = {epoch:UInt64})
ORDER BY generation, chunk_index
