-- Takes documents from the groups that are not to have them, in all of their versions.
DELETE FROM document_groups WHERE document_id IN {document_ids:Array(UUID)} AND group_name NOT IN {groups:Array(String)}
