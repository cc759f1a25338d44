-- Places and scores of the k chunks that search_two_stage.sql finds. The engine reads the codes of the candidates only.
SELECT
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM
(
    SELECT
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
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
