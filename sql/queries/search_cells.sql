-- The k chunks nearest to a query among those of the given cells, by exact int8 arithmetic. The cells are the first part
-- of the table's order, so the others are not read. Chunks outside the numbers first_cell..last_cell, which were
-- assigned by another version of the cells or not at all, are always searched: none is ever out of reach.
-- Known dead generations are passed over. A row of a draft that came since they were listed may be among the k: whoever
-- asks looks up which of the generations are published (publications.sql), and asks for more where one is not.
-- Only the texts of the k are read (lazy materialization).
SELECT
    source,
    title,
    heading,
    char_start,
    char_end,
    line,
    page,
    place_name,
    text,
    metadata,
    document_id,
    cell,
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE (cell IN {cells:Array(UInt32)} OR cell < {first_cell:UInt32} OR cell > {last_cell:UInt32})
    AND generation NOT IN {dead:Array(UInt64)} /* filter */
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
