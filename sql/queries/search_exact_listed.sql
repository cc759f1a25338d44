-- search_exact.sql for whoever has listed the hidden generations: looking up in each search what is published takes a third of
-- it. A row of a draft that came since may be among the k: whoever asks looks up which of the generations are published
-- (publications.sql), and asks for more where one is not.
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
WHERE generation NOT IN {dead:Array(UInt64)} /* filter */
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
