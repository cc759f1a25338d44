-- How many documents that could be seen at an epoch have no chunks any more, although they had some: one row.
SELECT count() AS forgotten
FROM live_documents(epoch = {epoch:UInt64})
WHERE chunk_count > 0 AND generation NOT IN (SELECT generation FROM chunks)
