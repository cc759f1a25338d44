-- Of some chunks the k nearest to a float32 vector, by the float32 vectors that were kept of them.
SELECT generation, chunk_index
FROM float_references
WHERE (generation, chunk_index) IN
(
    SELECT pair.1, pair.2
    FROM (SELECT arrayJoin(arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})) AS pair)
)
ORDER BY
    arraySum(arrayMap((x, q) -> toFloat64(x) * q, vector, {vector:Array(Float32)})) DESC, generation, chunk_index
LIMIT {k:UInt32}
