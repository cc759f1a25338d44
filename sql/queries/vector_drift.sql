-- How vectors and their rounding errors are distributed by day, folder and language at an epoch.
SELECT
    toString(day) AS day, folder, language, chunk_count, saturated, unknown_errors,
    ifNotFinite(relative_error, 0) AS relative_error, greatest_relative_error, least_norm, median_norm, greatest_norm
FROM vector_drift(epoch = {epoch:UInt64})
ORDER BY day, folder, language
