-- Drops the manifest of version 1, after the last verification.
DROP TABLE IF EXISTS manifest_2
