-- The k chunks nearest to a query: the candidates whose signs differ least, found by MyScale's own index, scored by int8
-- arithmetic. distance() takes a constant binary string of the column's length, and stands with ORDER BY and LIMIT.
-- What is published is looked up by whoever asks, as for everybody's form of the statement.
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
WHERE (cell, generation, chunk_index) IN
(
    SELECT cell, generation, chunk_index
    FROM
    (
        SELECT
            cell,
            generation,
            chunk_index,
            document_id,
            codes,
            scale,
            zero_point,
            distance(signs, substring(unhex({query_signs:String}), 1, {sign_bytes:UInt16})) AS distance
        FROM chunks
        WHERE generation < {begun_later:UInt64} AND generation NOT IN {dead:Array(UInt64)} /* filter */
        ORDER BY distance
        LIMIT {candidates:UInt32}
    )
    ORDER BY
        scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64}) DESC,
        document_id,
        chunk_index
    LIMIT {per_document:UInt32} BY document_id
    LIMIT {k:UInt32}
)
ORDER BY score DESC, document_id, chunk_index
-- Once more, for the shards of a cluster, each of which finds k; a document lies on one of them.
LIMIT {k:UInt32}
