-- What has arrived of generations that are about to be published: rows, highest index, sum of hashes.
SELECT generation, count() AS chunk_count, max(chunk_index) AS last_index, sum(row_hash) AS row_hash_sum
FROM chunks
WHERE generation IN {generations:Array(UInt64)}
GROUP BY generation
