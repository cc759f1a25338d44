-- Words of such chunks alone: how rare a word is, is counted in what a user may read.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.postings
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
