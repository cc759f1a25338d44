-- Lengths and languages of such chunks alone: the averages of BM25 are those of what a user may read.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.lengths
USING generation IN (SELECT generation FROM rag.document_groups)
TO ALL EXCEPT rag_all_documents
