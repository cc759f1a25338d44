-- The vectors of words that are what was written, each word once, for an export.
SELECT word, of_documents, forms, pieces, codes, scale, zero_point
FROM word_vectors
WHERE row_hash = sipHash64(word, of_documents, forms, pieces, codes, scale, zero_point)
ORDER BY word, epoch
LIMIT 1 BY word
