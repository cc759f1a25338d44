-- Version 7 can keep questions and what came of them.
CREATE TABLE IF NOT EXISTS queries
(
    query_id UUID,
    asked_at DateTime64(3) DEFAULT now64(3),
    kind LowCardinality(String) COMMENT 'ask or search',
    question String CODEC(ZSTD(1)),
    request String CODEC(ZSTD(1)) COMMENT 'JSON object: how it was asked, such as k, ranking and filter',
    epoch UInt64 COMMENT 'at which it was answered',
    hits Nested
    (
        document_id UUID,
        generation UInt64,
        chunk_index UInt32,
        source String,
        heading String,
        char_start UInt64,
        char_end UInt64,
        line UInt32,
        page UInt32,
        score Float64,
        vector_score Nullable(Float64),
        bm25_score Nullable(Float64)
    ),
    answered UInt8 COMMENT '1 where a question was answered or a search has found something',
    answer String CODEC(ZSTD(1)) COMMENT 'as it was shown, empty for a search',
    confidence Nullable(Float64) COMMENT 'of the answer, 0 to 1, NULL where it has none',
    citations Nested
    (
        source String,
        char_start UInt64,
        char_end UInt64,
        score Float64,
        text String
    ),
    steps Nested
    (
        stage String,
        statement String,
        milliseconds Float64,
        rows UInt64
    ),
    milliseconds Float64 COMMENT 'from the question to the answer'
)
ENGINE = MergeTree
ORDER BY (asked_at, query_id)
