-- Copies their postings, after the lengths: a generation with postings is always found by its lengths.
INSERT INTO postings
SELECT postings.term, transform(postings.generation, {old:Array(UInt64)}, {new:Array(UInt64)}), * EXCEPT (term, generation)
FROM postings
WHERE postings.generation IN {old:Array(UInt64)}
