-- Places and scores of the chunks that search_settled_cells.sql finds, with what puts equal ones in order.
SELECT
    generation,
    chunk_index,
    document_id,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
PREWHERE cell IN {cells:Array(UInt32)} /* filter */
ORDER BY score DESC
LIMIT {k:UInt32}
