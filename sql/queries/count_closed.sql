-- How many documents at an epoch no group opens, and how many rows there are that open one.
SELECT
    countIf(generation NOT IN (SELECT generation FROM document_groups)) AS closed,
    (SELECT count() FROM document_groups) AS group_rows
FROM live_documents(epoch = {epoch:UInt64})
