-- The extracted texts of some generations, for an export.
SELECT generation, text, row_hash
FROM texts
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation
