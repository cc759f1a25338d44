-- Every generation whose chunks have words, whether it is published or not.
SELECT DISTINCT generation
FROM lengths
ORDER BY generation
