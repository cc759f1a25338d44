-- Versions that a user may read, and their deletions. A document that comes back after its deletion has no group, and those who
-- could read it before see neither that it is there again nor how that version ends.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.manifest
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
