-- The users that the server knows.
SELECT name
FROM system.users
ORDER BY name
