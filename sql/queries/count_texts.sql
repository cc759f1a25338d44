-- The same for extracted texts.
SELECT generation, count() AS text_count, sum(row_hash) AS row_hash_sum
FROM texts
WHERE generation IN {generations:Array(UInt64)}
GROUP BY generation
