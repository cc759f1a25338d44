-- Who has this role sees every document, whatever its groups: those who write the store and those who look after it.
CREATE ROLE IF NOT EXISTS rag_all_documents
