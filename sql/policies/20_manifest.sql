-- Versions and deletions of the documents that a user may read.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.manifest
USING document_id IN (SELECT document_id FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
