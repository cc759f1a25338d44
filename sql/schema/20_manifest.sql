-- The only source of truth: one row publishes a generation of a document, or deletes the document.
-- Of each document the row with the highest epoch holds; chunks without such a row are invisible.
CREATE TABLE IF NOT EXISTS manifest
(
    document_id UUID COMMENT 'BLAKE2b-128 of the path',
    epoch UInt64 COMMENT 'commit order over the whole store',
    generation UInt64 COMMENT 'names the chunks of this version of the document',
    kind Enum8('publish' = 1, 'delete' = 2),
    path String COMMENT 'absolute path of the file, the identity of the document',
    source String COMMENT 'the path as it was given',
    title String,
    format LowCardinality(String),
    encoding LowCardinality(String),
    content_sha256 String,
    content_bytes UInt64,
    chunker LowCardinality(String),
    chunk_count UInt32,
    row_hash_sum UInt64 COMMENT 'sum of chunks.row_hash, modulo 2^64',
    place_count UInt32 DEFAULT 0 COMMENT 'rows in places',
    place_checksum UInt64 DEFAULT 0 COMMENT 'over them, as count_places.sql computes it',
    calibration UInt32 DEFAULT 0 COMMENT 'version of the ranges its codes were made with; 0: each vector has its own',
    written_at DateTime64(3) DEFAULT now64(3) COMMENT 'for people; nothing is decided by it'
)
ENGINE = MergeTree
ORDER BY (document_id, epoch)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
