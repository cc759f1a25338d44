-- How many rows lie in each cell; 0 is of rows in none.
SELECT cell, count() AS row_count
FROM chunks
GROUP BY cell
ORDER BY cell
