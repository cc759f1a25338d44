-- Version 4 remembers what people call the place of a chunk; older chunks have no places.
ALTER TABLE chunks ADD COLUMN IF NOT EXISTS
    place_name String DEFAULT '' CODEC(ZSTD(1)) COMMENT 'what people call its place: page iv, Budget!B2:C7; empty where places has no row of it' AFTER page
