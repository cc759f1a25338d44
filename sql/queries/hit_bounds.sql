-- The scores of chunks, found by their keys, with what bounds the part of them that is due to rounding.
SELECT
    cell,
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score,
    error,
    norm
FROM chunks
WHERE cell IN {cells:Array(UInt32)}
    AND generation IN {generations:Array(UInt64)}
    AND chunk_index IN {indexes:Array(UInt32)}
ORDER BY cell, generation, chunk_index
