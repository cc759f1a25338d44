-- Those of some words that have no vector yet.
SELECT arrayJoin({words:Array(String)}) AS word
WHERE word NOT IN (SELECT word_vectors.word FROM word_vectors)
ORDER BY word
