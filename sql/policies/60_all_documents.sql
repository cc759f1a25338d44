-- A server may be set up so that whoever no policy of a table means sees none of its rows
-- (users_without_row_policies_can_read_rows): those with the role see all of them on any server.
CREATE ROW POLICY OR REPLACE rag_all_documents ON
    rag.document_groups, rag.manifest, rag.chunks, rag.cells, rag.texts, rag.lengths, rag.postings, rag.places,
    rag.float_references, rag.queries, rag.word_vectors
USING 1
TO rag_all_documents
