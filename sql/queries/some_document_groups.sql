-- The groups of some documents, of old versions too.
SELECT document_id, generation, toString(group_name) AS group_name
FROM document_groups
WHERE document_id IN {document_ids:Array(UUID)}
ORDER BY document_id, generation, group_name
