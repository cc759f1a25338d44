-- In how many bits the signs of chunks differ from the query's; the chunks are found by their keys.
SELECT
    cell,
    generation,
    chunk_index,
    bitHammingDistance(signs, toFixedString(unhex({query_signs:String}), {sign_bytes:UInt16})) AS distance
FROM chunks
WHERE cell IN {cells:Array(UInt32)}
    AND generation IN {generations:Array(UInt64)}
    AND chunk_index IN {indexes:Array(UInt32)}
ORDER BY cell, generation, chunk_index
