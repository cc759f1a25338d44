-- The places of those chunks of some generations whose float32 vectors are kept.
SELECT generation, chunk_index
FROM float_references
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
