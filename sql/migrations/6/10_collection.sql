-- Version 6 remembers the prompts that were given in place of the model's own.
ALTER TABLE collection ADD COLUMN IF NOT EXISTS
    prompts String DEFAULT '' COMMENT 'JSON object: query and document, what is put before questions and documents; empty where it is what the model itself says' AFTER max_tokens
