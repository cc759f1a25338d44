-- Which of our tables exist in this database, and the view that tells how old those of word vectors are.
SELECT name
FROM system.tables
WHERE database = currentDatabase()
    AND name IN ('collection', 'manifest', 'chunks', 'texts', 'lengths', 'postings', 'places', 'queries', 'lease', 'word_vectors',
        'document_groups', 'vector_of_words')
