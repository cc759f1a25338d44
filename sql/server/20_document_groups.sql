-- Who may read which document, where row policies (sql/policies/) are in force: a generation is read by users with a role
-- that has the name of one of its groups, and by all where one is 'everyone'. Without a row it is read by nobody but the
-- role rag_all_documents. All rows of a document name the same groups: taking one away deletes them, whatever the generation.
CREATE TABLE IF NOT EXISTS document_groups
(
    generation UInt64 COMMENT 'of the document: its row in the manifest, chunks, words, texts and places are opened',
    document_id UUID COMMENT 'from all of whose versions a group is taken away',
    group_name LowCardinality(String) COMMENT 'a role, or everyone',
    written_at DateTime64(3) DEFAULT now64(3) COMMENT 'for people; nothing is decided by it'
)
ENGINE = MergeTree
ORDER BY (group_name, generation)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
