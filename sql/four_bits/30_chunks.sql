-- chunks of a store whose codes have 4 bits, in the place of the table for all others: two codes lie in a byte, and `codes`
-- is what reads them.
CREATE TABLE IF NOT EXISTS chunks
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
    place_name String DEFAULT '' CODEC(ZSTD(1)) COMMENT 'what people call its place: page iv, Budget!B2:C7; empty where places has no row of it',
    tokens UInt16,
    text String CODEC(ZSTD(3)),
    metadata String DEFAULT '{}' CODEC(ZSTD(1)) COMMENT 'JSON object: names with text, numbers, truth values, null or lists of them',
    outline String DEFAULT '' CODEC(ZSTD(1)) COMMENT 'JSON object: its sections with their headings, and headers of tables; empty where heading says it all',
    -- Codes and signs look like noise: no codec makes them smaller, and reading them is most of what a search does.
    code_pairs Array(Int8) CODEC(NONE) COMMENT 'two codes a number: one of the first half of the vector in the upper four bits, one of the second in the lower',
    -- Two shifts bring the sign of the lower code along. Where the dimensions are odd, the last pair has one code.
    codes Array(Int8) ALIAS arrayConcat(
        arrayMap(pair -> bitShiftRight(pair, 4), code_pairs),
        arrayMap(pair -> bitShiftRight(bitShiftLeft(pair, 4), 4), if({dimensions:UInt16} % 2 = 0, code_pairs, arrayPopBack(code_pairs)))
    ) COMMENT 'the codes, -8..7',
    scale Float32 CODEC(Gorilla),
    zero_point Int8,
    norm Float32 CODEC(ZSTD(1)) COMMENT 'Euclidean length of the dequantized vector',
    error Float32 DEFAULT inf CODEC(ZSTD(1)) COMMENT 'at least the length of what rounding changed of the float32 vector; inf where nobody knows',
    -- FixedString({sign_bytes}): a parameter cannot stand in a type, so the type is that of the default.
    signs DEFAULT toFixedString('', {sign_bytes:UInt16}) CODEC(NONE) COMMENT 'which numbers of the vector, then of its rotation, are above 0',
    row_hash UInt64 COMMENT 'BLAKE2b-64 of the row, summed up in the manifest',
    CONSTRAINT dimensions CHECK length(code_pairs) = intDiv({dimensions:UInt16} + 1, 2),
    CONSTRAINT scale_is_usable CHECK isFinite(scale) AND scale > 0 AND isFinite(norm),
    CONSTRAINT error_is_length CHECK error >= 0
)
ENGINE = MergeTree
-- Near vectors lie together, so that a search can leave most of a large table unread. Without cells, chunks of one
-- version of a document lie together, in reading order, and new ones are appended.
ORDER BY (cell, generation, chunk_index)
SETTINGS
    index_granularity = 64,
    -- A block is what is decompressed at a time: one granule of each column, not dozens for the few rows of a cell.
    min_compress_block_size = 4096,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
