-- Ranges that vectors share, fitted on a sample: one row a version, append only. A manifest row names the version that
-- the codes of its generation were made with; all generations that are visible at one epoch have the same.
CREATE TABLE IF NOT EXISTS calibrations
(
    version UInt32,
    granularity LowCardinality(String) COMMENT 'dimension: one range each; collection: one range for all',
    scheme LowCardinality(String) COMMENT 'asymmetric or symmetric',
    ranges LowCardinality(String) COMMENT 'how they were chosen: minmax, percentile or mse',
    model_sha256 String COMMENT 'of the encoder whose vectors were sampled',
    sample_count UInt32 COMMENT 'how many vectors were sampled',
    sample_hash String COMMENT 'BLAKE2b-128 of the sampled vectors',
    saturated_share Float64 COMMENT 'which share of their numbers lay outside the ranges',
    scale Array(Float32),
    zero_point Array(Int16),
    low Array(Float32),
    high Array(Float32),
    written_at DateTime64(3) DEFAULT now64(3) COMMENT 'for people; nothing is decided by it'
)
ENGINE = MergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
