-- How much of the store a reader at an epoch sees, and how much is left over from earlier versions: one row.
SELECT
    count() AS rows,
    countIf(generation IN (SELECT generation FROM live_documents(epoch = {epoch:UInt64}))) AS live_rows,
    uniqExact(generation) AS generations,
    uniqExactIf(generation, generation IN (SELECT generation FROM live_documents(epoch = {epoch:UInt64}))) AS live_generations,
    (SELECT count() FROM live_documents(epoch = {epoch:UInt64})) AS documents
FROM chunks
