-- The newest token, who has it, and whether it still keeps others out.
WITH
    newest AS
    (
        SELECT token, holder, expires_at, released, _block_number AS place
        FROM lease
        WHERE token = (SELECT max(token) FROM lease)
    ),
    (SELECT argMin(holder, place) FROM newest) AS first
SELECT
    max(newest.token) AS token,
    first AS holder,
    maxIf(newest.expires_at, newest.holder = first) > now64(3) AND NOT max(newest.released AND newest.holder = first) AS held
FROM newest
