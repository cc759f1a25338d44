-- Drops the chunks of version 1, after the last verification.
DROP TABLE IF EXISTS chunks_2
