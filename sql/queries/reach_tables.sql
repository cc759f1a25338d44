-- What can be read in this database, and what elsewhere reads from it: with the rights of whoever asks, or with other ones.
SELECT
    database,
    name,
    engine,
    match(create_table_query, 'SQL SECURITY (DEFINER|NONE)') OR engine = 'MaterializedView' AS has_own_rights
FROM system.tables
WHERE database = currentDatabase()
    OR (position(create_table_query, concat(currentDatabase(), '.')) > 0
        AND engine IN ('View', 'MaterializedView', 'Merge', 'Buffer', 'Distributed'))
    -- as a dictionary may name it by itself: SOURCE(CLICKHOUSE(DB 'rag' TABLE 'texts'))
    OR (position(create_table_query, currentDatabase()) > 0 AND engine = 'Dictionary')
ORDER BY database, name
