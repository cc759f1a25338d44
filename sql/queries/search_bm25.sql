-- Places and scores of the k chunks that score highest in BM25 (Robertson and Walker, 1994; in the form of Lucene, which
-- leaves out the constant factor k1 + 1). A term's weight is its inverse document frequency, times how much it counts in
-- the question. Chunks that a vector search has found, given by their places, come first where they hold a term.
SELECT
    generation,
    chunk_index,
    sum(transform(term, {terms:Array(String)}, {weights:Array(Float64)}, 0.) * frequency
        / (frequency + {k1:Float64} * (1 - {b:Float64} + {b:Float64} * length / {average_length:Float64}))) AS score
FROM postings
WHERE term IN {terms:Array(String)} AND generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
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
