-- Vectors of words, before all of them are made again.
DELETE FROM word_vectors WHERE true
