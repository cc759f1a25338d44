-- The k chunks nearest to a query by the index over Float32 vectors; by inner product the highest distance is the nearest.
SELECT source, title, heading, line, page, text, distance(vector, {query:Array(Float32)}) AS score
FROM chunks
WHERE generation NOT IN {dead:Array(UInt64)}
ORDER BY score DESC
LIMIT {k:UInt32}
