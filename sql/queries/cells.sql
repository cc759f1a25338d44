-- The newest version of the cells.
SELECT version, cell, first_cell, last_cell, centroid, trained_rows, similarity
FROM cells
WHERE version = (SELECT max(version) FROM cells)
ORDER BY cell
