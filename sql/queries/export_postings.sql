-- The words of the chunks of some generations, for an export.
SELECT term, generation, chunk_index, frequency, length
FROM postings
WHERE generation IN {generations:Array(UInt64)}
ORDER BY term, generation, chunk_index
