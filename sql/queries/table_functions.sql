-- The functions that stand in the place of a table and are not ours: files, addresses, other servers.
SELECT name
FROM system.table_functions
ORDER BY name
