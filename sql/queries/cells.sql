-- The newest version of the cells; thousands of long rows, so they are read as RowBinary.
SELECT toUInt16(length(centroid)) AS dimensions, version, first_cell, trained_rows, similarity, centroid
FROM cells
WHERE version = (SELECT max(version) FROM cells)
ORDER BY cell
