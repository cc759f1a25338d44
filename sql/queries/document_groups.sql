-- The groups of all documents, of old versions too.
SELECT document_id, generation, toString(group_name) AS group_name
FROM document_groups
ORDER BY document_id, generation, group_name
