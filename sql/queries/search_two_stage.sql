-- The k chunks nearest to a query: the candidates whose signs differ least from the query's, scored by int8 arithmetic.
-- The engine reads the codes of the candidates only (lazy materialization). Known dead generations are passed over early,
-- so that they take no candidate's place. A draft begun before the epoch whose rows came since may be among the k: whoever
-- asks looks up which of the generations are published (publications.sql), and asks for more where one is not.
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
            bitHammingDistance(signs, toFixedString(unhex({query_signs:String}), {sign_bytes:UInt16})) AS distance
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
