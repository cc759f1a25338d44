-- The texts of the chunks of some generations, in reading order.
SELECT generation, chunk_index, text
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
