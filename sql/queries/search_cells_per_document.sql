-- As search_cells.sql, with no more than so many chunks of one document. Drafts begun after the epoch are passed over too:
-- they would take the places of what is published of their documents.
SELECT *
FROM
(
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
        AND generation < {begun_later:UInt64} AND generation NOT IN {dead:Array(UInt64)} /* filter */
    ORDER BY score DESC, document_id, chunk_index
    LIMIT {candidates:UInt32}
)
ORDER BY score DESC, document_id, chunk_index
LIMIT {per_document:UInt32} BY document_id
LIMIT {k:UInt32}
