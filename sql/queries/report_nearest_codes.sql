-- Of some chunks the k nearest to each of some queries, by exact int8 arithmetic on their codes. Questions count from 1;
-- equals come in the order in which a search returns them.
SELECT question, generation, chunk_index
FROM chunks
CROSS JOIN
(
    SELECT
        arrayJoin(arrayZip(
            arrayEnumerate({query_sums:Array(Int64)}),
            {queries:Array(Array(Int16))},
            {query_sums:Array(Int64)},
            {query_offsets:Array(Int64)}
        )) AS asked,
        asked.1 AS question,
        asked.2 AS query,
        asked.3 AS query_sum,
        asked.4 AS query_offset
) AS questions
WHERE (generation, chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
ORDER BY
    question,
    scale * (dotProduct(query, codes) - zero_point * query_sum + query_offset) DESC,
    document_id,
    chunk_index
LIMIT {k:UInt32} BY question
