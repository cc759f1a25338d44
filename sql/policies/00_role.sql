-- Who has this role sees every document, whatever its groups: those who write the store and those who look after it. Give it
-- to them before the policies are there: GRANT rag_all_documents TO maintainer, writer
CREATE ROLE IF NOT EXISTS rag_all_documents
