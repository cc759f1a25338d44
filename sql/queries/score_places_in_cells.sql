-- score_places.sql where the cells of the chunks are known too: a large table is in the order of these.
SELECT
    cell,
    generation,
    chunk_index,
    document_id,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE (cell, generation, chunk_index)
    IN arrayZip({cells:Array(UInt32)}, {generations:Array(UInt64)}, {indexes:Array(UInt32)})
