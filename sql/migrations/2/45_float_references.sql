-- Vectors of a sample of the chunks as they were before they became codes, kept on request to measure what that cost.
-- Like chunks they count only while the manifest publishes their generation.
CREATE TABLE IF NOT EXISTS float_references
(
    generation UInt64,
    chunk_index UInt32,
    vector Array(Float32),
    CONSTRAINT dimensions CHECK length(vector) = {dimensions:UInt16}
)
ENGINE = MergeTree
ORDER BY (generation, chunk_index)
SETTINGS
    index_granularity = 256,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
