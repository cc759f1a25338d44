-- Which of some generations were published by an epoch.
SELECT DISTINCT generation
FROM manifest
WHERE kind = 'publish' AND epoch <= {epoch:UInt64} AND generation IN {generations:Array(UInt64)}
ORDER BY generation
