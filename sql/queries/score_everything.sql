-- Every chunk that passes a filter with the inner product of its vector and a query, and every posting of some terms: all
-- that a hybrid search of a small store needs to know, in one statement and without a candidate that could be missed.
-- A row of a chunk has the term 0 and its product as the number; a row of a posting has the number of its term from 1, how
-- often the chunk has the term, and the length of the chunk. What is published is known to whoever asks, so rows of drafts
-- and old versions come too: looking up each row here would take longer than all the rest.
SELECT
    toUInt32(0) AS term_number,
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS number,
    toUInt32(0) AS length
FROM chunks
WHERE true /* filter */
UNION ALL
SELECT
    toUInt32(indexOf({terms:Array(String)}, term)) AS term_number,
    generation,
    chunk_index,
    toFloat64(frequency) AS number,
    length
FROM postings
WHERE term IN {terms:Array(String)}
