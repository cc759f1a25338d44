-- The word index: one row for each different term of a chunk. A row counts only while the manifest publishes its
-- generation, like the chunk itself.
CREATE TABLE IF NOT EXISTS postings
(
    term String CODEC(ZSTD(1)) COMMENT 'a word as the analyser leaves it: folded and stemmed',
    generation UInt64 CODEC(Delta, ZSTD(1)),
    chunk_index UInt32 CODEC(ZSTD(1)),
    frequency UInt32 CODEC(T64, ZSTD(1)) COMMENT 'how often the chunk has the term',
    length UInt32 CODEC(T64, ZSTD(1)) COMMENT 'lengths.terms of the chunk, so that a search needs no join',
    -- A fresh generation is greater than all before it: its rows are counted back without reading older ones.
    INDEX generations generation TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (term, generation, chunk_index)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
