-- The metadata of some generations, of those that have any: all chunks of one have the same.
SELECT generation, metadata
FROM chunks
WHERE generation IN {generations:Array(UInt64)} AND chunk_index = 0 AND metadata != '{}'
ORDER BY generation
