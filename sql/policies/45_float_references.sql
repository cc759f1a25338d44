-- Vectors of such chunks as they were before they became codes.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.float_references
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
