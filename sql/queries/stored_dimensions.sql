-- How many numbers a vector of the store has, in every version of the tables.
SELECT dimensions FROM collection ORDER BY revision DESC LIMIT 1
