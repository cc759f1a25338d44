-- search_exact_listed.sql where no chunk is hidden, ordered by the score alone, which takes a seventh of it less. One row more
-- than is wanted shows whether equal scores are cut apart at the end; then whoever asks runs search_exact_listed.sql, and puts
-- equal ones in order else.
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
WHERE true /* filter */
ORDER BY score DESC
LIMIT {k:UInt32}
