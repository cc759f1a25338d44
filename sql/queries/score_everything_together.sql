-- score_everything.sql for several queries with one filter and the terms of all of them: a row of a chunk has the inner product with
-- each query, in their order; of a row of a posting the first number is how often the chunk has the term, and the others are 0.
SELECT
    toUInt32(0) AS term_number,
    generation,
    chunk_index,
    arrayMap(
        (query, query_sum, query_offset, query_scale) ->
            scale * (dotProduct(query, codes) - zero_point * query_sum + query_offset) * query_scale,
        {queries:Array(Array(Int16))},
        {query_sums:Array(Int64)},
        {query_offsets:Array(Int64)},
        {query_scales:Array(Float64)}
    ) AS numbers,
    toUInt32(0) AS length
FROM chunks
WHERE true /* filter */
UNION ALL
SELECT
    toUInt32(indexOf({terms:Array(String)}, term)) AS term_number,
    generation,
    chunk_index,
    arrayResize([toFloat64(frequency)], length({query_sums:Array(Int64)})) AS numbers,
    length
FROM postings
WHERE term IN {terms:Array(String)}
