-- What each word means and as what it is found: of the words of the documents and of the encoder's vocabulary a vector as
-- int8 codes, x ~ scale * (code - zero_point), and the terms that postings have in its place. A row depends on the word and
-- the encoder alone: it is never changed, and stays when the documents with the word have gone.
CREATE TABLE IF NOT EXISTS word_vectors
(
    word String CODEC(ZSTD(1)) COMMENT 'as rag_words gives it: folded, not stemmed',
    epoch UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'the first at which it counts; 0 for words of the vocabulary',
    of_documents UInt8 CODEC(T64, ZSTD(1)) COMMENT '1 where a document brought it, 0 where the vocabulary of the encoder has it',
    forms Array(String) CODEC(ZSTD(1)) COMMENT 'language, space, term: what postings have in its place in texts of that language, which is empty for none; those in which it is a stop word are missing',
    pieces UInt16 CODEC(T64, ZSTD(1)) COMMENT 'tokens that the encoder cuts it into',
    codes Array(Int8) CODEC(NONE),
    scale Float32 CODEC(ZSTD(1)),
    zero_point Int8 CODEC(ZSTD(1)),
    row_hash UInt64 DEFAULT sipHash64(word, of_documents, forms, pieces, codes, scale, zero_point) COMMENT 'made by the engine when the row arrives',
    CONSTRAINT dimensions CHECK length(codes) = {dimensions:UInt16},
    CONSTRAINT scale_is_usable CHECK isFinite(scale) AND scale > 0
)
ENGINE = MergeTree
ORDER BY word
SETTINGS
    index_granularity = 256,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 60,
    concurrent_part_removal_threshold = 1000000
