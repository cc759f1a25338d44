-- The k chunks with the highest BM25 score for some words, by MyScale's full-text index.
SELECT source, title, heading, line, page, text, TextSearch(text, {words:String}) AS score
FROM chunks
WHERE generation NOT IN {dead:Array(UInt64)}
ORDER BY score DESC
LIMIT {k:UInt32}
