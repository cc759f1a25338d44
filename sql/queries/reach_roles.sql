-- Which roles users and other roles have.
SELECT
    ifNull(user_name, '') AS user,
    ifNull(role_name, '') AS role,
    granted_role_name AS granted,
    with_admin_option AS may_grant
FROM system.role_grants
ORDER BY user, role, granted
