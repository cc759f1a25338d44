-- Parts, rows and bytes on disk of every table of this database, with all that belongs to a part.
SELECT table, count() AS parts, sum(system.parts.rows) AS rows, sum(system.parts.bytes_on_disk) AS bytes_on_disk
FROM system.parts
WHERE database = currentDatabase() AND active
GROUP BY table
ORDER BY table
