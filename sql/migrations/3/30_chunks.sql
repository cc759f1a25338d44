-- Version 3 remembers where the sections of a chunk begin and which header its tables have; older chunks have none.
ALTER TABLE chunks ADD COLUMN IF NOT EXISTS
    outline String DEFAULT '' CODEC(ZSTD(1)) COMMENT 'JSON object: its sections with their headings, and headers of tables; empty where heading says it all' AFTER metadata
