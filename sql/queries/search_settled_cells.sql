-- search_cells.sql where no chunk is hidden and each is in the newest cells, ordered by the score alone: the conditions and the
-- ties take a quarter of a search. One row more than is wanted shows whether equal scores are cut apart at the end; then
-- whoever asks runs search_cells.sql, and puts equal ones in order else. PREWHERE says what the planner would find out, which
-- takes it a millisecond.
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
PREWHERE cell IN {cells:Array(UInt32)} /* filter */
ORDER BY score DESC
LIMIT {k:UInt32}
