-- Of some chunks the k nearest to a query, by exact int8 arithmetic on their codes.
SELECT generation, chunk_index
FROM chunks
WHERE (generation, chunk_index) IN
(
    SELECT pair.1, pair.2
    FROM (SELECT arrayJoin(arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})) AS pair)
)
ORDER BY
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} DESC,
    generation,
    chunk_index
LIMIT {k:UInt32}
