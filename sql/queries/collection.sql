-- What the store was made with: the newest revision. A table of an older version, which is about to be migrated, has no
-- column for the choice, the prompts or how long queries are kept, and then none is returned.
SELECT
    revision, schema_version, model, model_revision, model_sha256, tokenizer_sha256, weights, pooling, dimensions,
    max_tokens, quantizer, analyser, COLUMNS('^(search_choice|prompts|log_keep)$')
FROM collection
ORDER BY revision DESC
LIMIT 1
