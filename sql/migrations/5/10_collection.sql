-- Version 5 remembers which way of searching was chosen for a budget.
ALTER TABLE collection ADD COLUMN IF NOT EXISTS
    search_choice String DEFAULT '' COMMENT 'JSON object: the budget of searches, how they keep to it, and what was measured; empty where nothing was chosen' AFTER analyser
