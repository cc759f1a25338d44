-- What the store was made with: the newest revision.
SELECT
    revision, schema_version, model, model_revision, model_sha256, tokenizer_sha256, weights, pooling, dimensions,
    max_tokens, quantizer, analyser
FROM collection
ORDER BY revision DESC
LIMIT 1
