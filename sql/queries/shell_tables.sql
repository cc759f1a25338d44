-- The tables and views of this database: rows and bytes on disk where the engine counts them, and the parameters that a
-- view takes.
SELECT
    name,
    engine,
    total_rows AS rows,
    total_bytes AS bytes,
    arrayStringConcat(arraySort(arrayDistinct(extractAll(as_select, '\\{(\\w+:[^}]+)\\}'))), ', ') AS parameters
FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary
ORDER BY name
