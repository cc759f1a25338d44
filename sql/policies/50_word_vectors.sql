-- Vectors of words that the encoder's vocabulary has: of a word that a document brought, its row would say that it is there.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.word_vectors
USING of_documents = 0
TO ALL EXCEPT rag_all_documents
