-- What is done to the vectors of words, before it is found again.
DELETE FROM word_whitening WHERE true
