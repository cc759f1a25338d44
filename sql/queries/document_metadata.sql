-- The metadata of every document at an epoch that has some: all chunks of one have the same.
SELECT generation, metadata
FROM live_chunks(epoch = {epoch:UInt64})
WHERE chunk_index = 0 AND metadata != '{}'
ORDER BY generation
