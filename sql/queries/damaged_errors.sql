-- Published documents with a chunk whose rounding error is no length, which no hash covers; empty for a sound store.
SELECT DISTINCT documents.path AS path
FROM chunks
INNER JOIN live_documents(epoch = {epoch:UInt64}) AS documents ON documents.generation = chunks.generation
WHERE NOT chunks.error >= 0
ORDER BY path
