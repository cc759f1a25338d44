-- The outlines of chunks that have one, found by their keys.
SELECT cell, generation, chunk_index, outline
FROM chunks
WHERE cell IN {cells:Array(UInt32)}
    AND generation IN {generations:Array(UInt64)}
    AND chunk_index IN {indexes:Array(UInt32)}
    AND outline != ''
ORDER BY cell, generation, chunk_index
