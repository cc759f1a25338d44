-- The version of the tables: that of the newest revision.
SELECT schema_version FROM collection ORDER BY revision DESC LIMIT 1
