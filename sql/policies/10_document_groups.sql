-- Of the groups of documents a user sees those that are his own. All other policies ask this table, and so this policy.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.document_groups
USING has(enabledRoles(), group_name) OR group_name = 'everyone'
TO ALL EXCEPT rag_all_documents
