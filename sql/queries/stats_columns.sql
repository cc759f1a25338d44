-- What each column of the vector table takes on disk, and for how many rows that is known: the engine keeps the columns
-- of a small part in one file and does not tell them apart.
SELECT
    column,
    sum(column_data_compressed_bytes) AS bytes_on_disk,
    sum(column_data_uncompressed_bytes) AS bytes_uncompressed,
    sum(rows) AS rows
FROM system.parts_columns
WHERE database = currentDatabase() AND table = 'chunks' AND active AND part_type = 'Wide'
GROUP BY column
ORDER BY min(column_position)
