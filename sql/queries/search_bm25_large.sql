-- search_bm25.sql for a large store, where looking up the generation of every posting among all that are live takes longer
-- than the rest. Known dead generations and drafts begun after the epoch are passed over; whoever asks looks up which of
-- the generations are published (publications.sql), and asks for more where one is not.
SELECT
    generation,
    chunk_index,
    sum(transform(term, {terms:Array(String)}, {weights:Array(Float64)}, 0.) * frequency
        / (frequency + {k1:Float64} * (1 - {b:Float64} + {b:Float64} * length / {average_length:Float64}))) AS score
FROM postings
WHERE term IN {terms:Array(String)}
    AND generation < {begun_later:UInt64} AND generation NOT IN {dead:Array(UInt64)}
GROUP BY generation, chunk_index
ORDER BY
    (generation, chunk_index) IN
    (
        SELECT near.1, near.2
        FROM (SELECT arrayJoin(arrayZip({near_generations:Array(UInt64)}, {near_indexes:Array(UInt32)})) AS near)
    ) DESC,
    score DESC,
    generation,
    chunk_index
LIMIT {k:UInt32}
