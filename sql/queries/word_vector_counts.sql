-- The vectors of words: how many, how many of words that documents brought, how many are not what was written, and the bytes
-- of their columns before compression.
SELECT
    count() AS words,
    countIf(word_vectors.of_documents = 1) AS brought,
    countIf(row_hash != sipHash64(word, word_vectors.of_documents, forms, pieces, codes, scale, zero_point)) AS damaged,
    sum(byteSize(word, epoch, word_vectors.of_documents, forms, pieces, codes, scale, zero_point, row_hash)) AS bytes
FROM word_vectors
