-- The extracted texts of some generations.
SELECT generation, document_id, source, text, row_hash
FROM texts
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation
