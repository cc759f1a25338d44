-- What is done to the vectors of words: row 0 is subtracted, the others multiply. No row where one is not what was written.
SELECT row, vector
FROM word_whitening
WHERE (SELECT countIf(row_hash != sipHash64(row, vector)) FROM word_whitening) = 0
ORDER BY row
