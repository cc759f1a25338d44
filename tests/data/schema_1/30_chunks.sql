-- The vector table: one row a chunk, its text, its place in the user's file, and its vector as int8 codes:
-- x ~ scale * (code - zero_point). A row counts only while the manifest publishes its generation.
CREATE TABLE IF NOT EXISTS chunks
(
    generation UInt64,
    chunk_index UInt32,
    document_id UUID,
    source String,
    title String,
    heading String COMMENT 'path of headings, outermost first',
    char_start UInt64 COMMENT 'first character of the chunk in the text, in code points',
    char_end UInt64 COMMENT 'one past its last character',
    line UInt32 COMMENT '1-based line of the file on which it starts',
    page UInt32 COMMENT '1-based page, 0 where the format has none',
    tokens UInt16,
    text String CODEC(ZSTD(3)),
    codes Array(Int8),
    scale Float32,
    zero_point Int8,
    norm Float32 COMMENT 'Euclidean length of the dequantized vector',
    row_hash UInt64 COMMENT 'BLAKE2b-64 of the row, summed up in the manifest',
    CONSTRAINT dimensions CHECK length(codes) = {dimensions:UInt16},
    CONSTRAINT scale_is_usable CHECK isFinite(scale) AND scale > 0 AND isFinite(norm)
)
ENGINE = MergeTree
-- Chunks of one version of a document lie together, in reading order, and new ones are appended.
ORDER BY (generation, chunk_index)
SETTINGS
    index_granularity = 256,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 480
