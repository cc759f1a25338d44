-- The row policies on this database; of one on all tables the table is ''.
SELECT
    short_name AS name,
    ifNull(table, '') AS table,
    ifNull(select_filter, '1') AS condition,
    is_restrictive,
    apply_to_all,
    apply_to_list,
    apply_to_except
FROM system.row_policies
WHERE database = currentDatabase()
ORDER BY table, name
