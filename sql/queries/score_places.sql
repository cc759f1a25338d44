-- The inner products of a query and the chunks at some places: the n-th generation and the n-th index are one of them. With
-- what orders equal ones and finds them again: nothing else is read of chunks that may not be shown.
SELECT
    cell,
    generation,
    chunk_index,
    document_id,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE (generation, chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
