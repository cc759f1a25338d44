-- What has arrived in lengths of generations that are about to be published.
SELECT generation, count() AS chunk_count, sum(postings) AS posting_count, sum(checksum) AS checksum_sum
FROM lengths
WHERE generation IN {generations:Array(UInt64)}
GROUP BY generation
