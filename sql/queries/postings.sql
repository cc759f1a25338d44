-- Every posting of some terms, with the number of its term from 1: what score_everything.sql returns without chunks. Rows of
-- drafts and old versions come too.
SELECT
    toUInt32(indexOf({terms:Array(String)}, term)) AS term_number,
    generation,
    chunk_index,
    toFloat64(frequency) AS number,
    length
FROM postings
WHERE term IN {terms:Array(String)}
