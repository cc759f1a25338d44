-- The extracted text of documents whose format had to be converted (HTML): their offsets count in it.
CREATE TABLE IF NOT EXISTS texts
(
    generation UInt64,
    document_id UUID,
    source String,
    text String CODEC(ZSTD(3)),
    row_hash UInt64
)
ENGINE = MergeTree
ORDER BY generation
SETTINGS
    index_granularity = 256,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
