-- The float vectors that were kept of chunks of some generations, for an export.
SELECT generation, chunk_index, vector
FROM float_references
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, chunk_index
