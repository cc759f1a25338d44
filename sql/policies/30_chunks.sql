-- Chunks, with their texts and vectors, of documents that a user may read.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.chunks
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
