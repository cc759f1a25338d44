-- Version 4 promises places; the documents of older ones have none.
ALTER TABLE manifest
    ADD COLUMN IF NOT EXISTS place_count UInt32 DEFAULT 0 COMMENT 'rows in places' AFTER row_hash_sum,
    ADD COLUMN IF NOT EXISTS place_checksum UInt64 DEFAULT 0 COMMENT 'over them, as count_places.sql computes it' AFTER place_count
