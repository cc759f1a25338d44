-- The vectors of some generations, in the columns that sql/upkeep/tend.py unpacks.
SELECT generation, chunk_index, codes, scale, zero_point
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
