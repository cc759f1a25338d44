-- The vectors of chunks, found by their keys.
SELECT cell, generation, chunk_index, codes, scale, zero_point, error
FROM chunks
WHERE cell IN {cells:Array(UInt32)}
    AND generation IN {generations:Array(UInt64)}
    AND chunk_index IN {indexes:Array(UInt32)}
ORDER BY cell, generation, chunk_index
