-- Places and scores of the k chunks that search_cells.sql finds, for whoever wants to know more of them before any is shown:
-- the texts and metadata of a hundred candidates take longer to read than their cells to rank.
SELECT
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE (cell IN {cells:Array(UInt32)} OR cell < {first_cell:UInt32} OR cell > {last_cell:UInt32})
    AND generation NOT IN {dead:Array(UInt64)} /* filter */
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
