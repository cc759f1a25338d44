-- What is done to the encoder's vector of a word before it becomes codes: row 0 is subtracted, and the rows from 1 on are the
-- matrix that it is then multiplied by. Found once, on the vocabulary of the encoder, and never changed.
CREATE TABLE IF NOT EXISTS word_whitening
(
    row UInt16,
    vector Array(Float32) CODEC(ZSTD(1)),
    row_hash UInt64 DEFAULT sipHash64(row, vector) COMMENT 'made by the engine when the row arrives',
    CONSTRAINT dimensions CHECK length(vector) = {dimensions:UInt16}
)
ENGINE = MergeTree
ORDER BY row
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
