-- Version 7 remembers how long questions are kept.
ALTER TABLE collection ADD COLUMN IF NOT EXISTS
    log_keep String DEFAULT '' COMMENT 'how long queries are kept: 90d, or the last 1000; empty: all' AFTER search_choice
