-- What the vectors of this store were made with; append only, the newest revision holds.
CREATE TABLE IF NOT EXISTS collection
(
    revision UInt64,
    schema_version UInt16,
    model String COMMENT 'hub id or folder of the encoder',
    model_revision String COMMENT 'commit on the hub, empty for other origins',
    model_sha256 String COMMENT 'of the float32 weights that the int8 weights were made from',
    tokenizer_sha256 String,
    weights LowCardinality(String) COMMENT 'how the weights of the encoder are quantized',
    pooling LowCardinality(String),
    dimensions UInt16,
    max_tokens UInt16,
    prompts String DEFAULT '' COMMENT 'JSON object: query and document, what is put before questions and documents; empty where it is what the model itself says',
    quantizer LowCardinality(String) COMMENT 'how vectors become codes: asymmetric or symmetric, per vector',
    analyser LowCardinality(String) COMMENT 'what made the terms of postings, empty where nothing did',
    search_choice String DEFAULT '' COMMENT 'JSON object: the budget of searches, how they keep to it, and what was measured; empty where nothing was chosen',
    log_keep String DEFAULT '' COMMENT 'how long queries are kept: 90d, or the last 1000; empty: all',
    written_at DateTime64(3) DEFAULT now64(3) COMMENT 'for people; nothing is decided by it'
)
ENGINE = MergeTree
ORDER BY revision
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
