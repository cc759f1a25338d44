-- Versions of documents that a user may read, and deletions of documents of which he could read one: a document that comes
-- back after its deletion has no group, and those who could read it before do not see that it is there again.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.manifest
USING generation IN (SELECT generation FROM rag.document_groups) OR (kind = 'delete' AND document_id IN (SELECT document_id FROM rag.document_groups))
TO ALL EXCEPT rag_all_documents
