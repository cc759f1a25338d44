-- Places of such texts in their files.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.places
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
