-- The cells of the newest version in the order in which they are worth searching, and where their numbers begin and end.
SELECT cell, first_cell, last_cell
FROM cells
WHERE version = (SELECT max(version) FROM cells)
ORDER BY dotProduct(centroid, {query:Array(Int16)}) DESC, cell
LIMIT {probes:UInt32}
