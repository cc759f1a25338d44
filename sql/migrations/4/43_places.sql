-- New in version 4. Where the text of documents stands in the files that it was extracted from: a row says it of some characters. A row
-- counts only while the manifest publishes its generation. What a kind of place does not have is 0 or empty.
CREATE TABLE IF NOT EXISTS places
(
    generation UInt64,
    document_id UUID,
    char_start UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'first character in the stored text, in code points',
    char_end UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'one past the last one',
    kind LowCardinality(String) COMMENT 'page, slide, rectangle, cells, notebook cell or mail part',
    page UInt32 CODEC(Delta, ZSTD(1)) COMMENT '1-based page or slide, also of a rectangle',
    page_label String CODEC(ZSTD(1)) COMMENT 'what the page itself is called: iv, A-3; empty where that is its number',
    left Float32 CODEC(ZSTD(1)) COMMENT 'of a rectangle, in points (1/72 inch) in the coordinates of the page before it is turned',
    bottom Float32 CODEC(ZSTD(1)),
    right Float32 CODEC(ZSTD(1)),
    top Float32 CODEC(ZSTD(1)),
    sheet String CODEC(ZSTD(1)) COMMENT 'whose cells from (first_row, first_column) to (last_row, last_column) it is, from 1',
    first_row UInt32 CODEC(Delta, ZSTD(1)),
    first_column UInt32 CODEC(Delta, ZSTD(1)),
    last_row UInt32 CODEC(Delta, ZSTD(1)),
    last_column UInt32 CODEC(Delta, ZSTD(1)),
    notebook_cell UInt32 CODEC(Delta, ZSTD(1)) COMMENT 'of a notebook, from 1',
    mail_part String CODEC(ZSTD(1)) COMMENT 'of a mail, as IMAP numbers it: 1, 2.1'
)
ENGINE = MergeTree
ORDER BY (generation, char_start)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
