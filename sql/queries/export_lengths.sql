-- What is known of the words of the chunks of some generations, for an export.
SELECT generation, chunk_index, toString(language) AS language, terms, postings, checksum
FROM lengths
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
