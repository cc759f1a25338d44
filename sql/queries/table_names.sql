-- Which of our tables exist in this database.
SELECT name
FROM system.tables
WHERE database = currentDatabase()
    AND name IN ('collection', 'manifest', 'chunks', 'texts', 'lengths', 'postings', 'places', 'queries', 'lease', 'word_vectors',
        'document_groups')
