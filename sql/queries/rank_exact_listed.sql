-- Places and scores of the k chunks that search_exact_listed.sql finds.
SELECT
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE generation NOT IN {dead:Array(UInt64)} /* filter */
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
