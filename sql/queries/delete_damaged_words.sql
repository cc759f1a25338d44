-- Vectors of words that are not what was written; the next ingest makes them again.
DELETE FROM word_vectors WHERE row_hash != sipHash64(word, of_documents, forms, pieces, codes, scale, zero_point)
