-- Version 2 remembers what made the terms of postings; rows of version 1 have none.
ALTER TABLE collection ADD COLUMN IF NOT EXISTS
    analyser LowCardinality(String) COMMENT 'what made the terms of postings, empty where nothing did' AFTER quantizer
