-- The chunks of version 2, filled under a name of their own and then exchanged with those of version 1.
-- The vector table: one row a chunk, its text, its place in the user's file, and its vector as int8 codes:
-- x ~ scale * (code - zero_point). A row counts only while the manifest publishes its generation.
CREATE TABLE IF NOT EXISTS chunks_2
(
    cell UInt32 COMMENT 'the group of near vectors it belongs to, a row of cells; 0 for none',
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
    metadata String DEFAULT '{}' CODEC(ZSTD(1)) COMMENT 'JSON object: names with text, numbers, truth values, null or lists of them',
    -- Codes and signs look like noise: no codec makes them smaller, and reading them is most of what a search does.
    codes Array(Int8) CODEC(NONE),
    scale Float32 CODEC(Gorilla),
    zero_point Int8,
    norm Float32 CODEC(ZSTD(1)) COMMENT 'Euclidean length of the dequantized vector',
    -- FixedString({sign_bytes}): a parameter cannot stand in a type, so the type is that of the default.
    signs DEFAULT toFixedString('', {sign_bytes:UInt16}) CODEC(NONE) COMMENT 'which numbers of the vector, then of its rotation, are above 0',
    row_hash UInt64 COMMENT 'BLAKE2b-64 of the row, summed up in the manifest',
    CONSTRAINT dimensions CHECK length(codes) = {dimensions:UInt16},
    CONSTRAINT scale_is_usable CHECK isFinite(scale) AND scale > 0 AND isFinite(norm)
)
ENGINE = MergeTree
-- Near vectors lie together, so that a search can leave most of a large table unread. Without cells, chunks of one
-- version of a document lie together, in reading order, and new ones are appended.
ORDER BY (cell, generation, chunk_index)
SETTINGS
    index_granularity = 256,
    -- A block is what is decompressed at a time: one granule of each column, not dozens for the few rows of a cell.
    min_compress_block_size = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
