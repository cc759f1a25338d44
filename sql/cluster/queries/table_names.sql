-- Which of our tables exist in this database; the lease is among the local tables of the first node.
SELECT name
FROM system.tables
WHERE database = currentDatabase()
    AND name IN ('collection', 'manifest', 'chunks', 'texts', 'lengths', 'postings', 'places', 'queries', 'commits',
        'document_groups', 'word_vectors', 'vector_of_words', 'rag_text_search')
