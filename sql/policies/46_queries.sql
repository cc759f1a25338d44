-- What others have asked, and what they were answered, is for nobody.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.queries
USING 0
TO ALL EXCEPT rag_all_documents
