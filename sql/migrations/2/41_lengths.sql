-- One row a chunk that can be found by its words: its language, how many terms it has, and what postings must hold of it.
CREATE TABLE IF NOT EXISTS lengths
(
    generation UInt64,
    chunk_index UInt32,
    language LowCardinality(String) COMMENT 'whose stemmer made the terms: a code or several, mul for all, empty for none',
    terms UInt32 COMMENT 'words in the chunk, repetitions included: its length in BM25',
    postings UInt32 COMMENT 'rows in postings: different terms',
    checksum UInt64 COMMENT 'sum over them of CRC32(term) * frequency * (chunk_index + 1), modulo 2^64'
)
ENGINE = MergeTree
ORDER BY (generation, chunk_index)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
