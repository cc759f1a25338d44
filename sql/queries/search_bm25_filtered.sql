-- search_bm25.sql among the chunks that pass a filter; the rarity of a term stays that of the whole collection. The filter
-- looks at all chunks: those that cannot be seen share no generation with the postings that count.
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
AND (generation, chunk_index) IN
(
    SELECT chunks.generation, chunks.chunk_index
    FROM chunks
    WHERE true /* filter */
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
