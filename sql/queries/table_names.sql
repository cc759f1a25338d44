-- Which of our tables exist in this database, and the views that tell whether those of word vectors are all there and new.
SELECT name
FROM system.tables
WHERE database = currentDatabase()
    AND name IN ('collection', 'manifest', 'chunks', 'texts', 'lengths', 'postings', 'places', 'queries', 'lease', 'word_vectors',
        'document_groups', 'vector_of_words', 'rag_text_search')
