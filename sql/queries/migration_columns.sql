-- The columns of the tables that migrations change: they tell how far one has come.
SELECT table, name
FROM system.columns
WHERE database = currentDatabase() AND table IN ('collection', 'manifest', 'chunks', 'manifest_2', 'chunks_2')
ORDER BY table, name
