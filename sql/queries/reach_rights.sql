-- What users and roles may do and where: '' stands for every database, or every table.
SELECT
    ifNull(user_name, '') AS user,
    ifNull(role_name, '') AS role,
    lower(toString(access_type)) AS right,
    ifNull(database, '') AS database,
    ifNull(table, '') AS table
FROM system.grants
WHERE NOT is_partial_revoke
ORDER BY user, role, right, database, table
