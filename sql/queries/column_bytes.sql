-- Bytes on disk of each column of the vector table, over its active parts.
SELECT column, sum(column_data_compressed_bytes) AS compressed, sum(column_data_uncompressed_bytes) AS uncompressed
FROM system.parts_columns
WHERE database = currentDatabase() AND table = 'chunks' AND active
GROUP BY column
ORDER BY column
