-- What has arrived in postings of the same generations.
SELECT
    generation,
    count() AS posting_count,
    sum(toUInt64(CRC32(term)) * frequency * (toUInt64(chunk_index) + 1)) AS checksum_sum
FROM postings
WHERE generation IN {generations:Array(UInt64)}
GROUP BY generation
