-- How many rows there are in the manifest and in its copy.
SELECT (SELECT count() FROM manifest) AS manifest_rows, (SELECT count() FROM manifest_2) AS copied_rows
