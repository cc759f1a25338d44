-- search_bm25_filtered.sql for words that have several forms in the store, and for a cap on the chunks of one document: a
-- chunk with two forms of a word has the word once, and the form that counts more in it counts. A generation is one
-- document; its chunks among those of the vector search are counted apart, for they need not be its best by words.
SELECT
    generation,
    chunk_index,
    sum(word_score) AS score,
    (generation, chunk_index) IN
    (
        SELECT near.1, near.2
        FROM (SELECT arrayJoin(arrayZip({near_generations:Array(UInt64)}, {near_indexes:Array(UInt32)})) AS near)
    ) AS is_near
FROM
(
    SELECT
        generation,
        chunk_index,
        max(transform(term, {terms:Array(String)}, {weights:Array(Float64)}, 0.) * frequency
            / (frequency + {k1:Float64} * (1 - {b:Float64} + {b:Float64} * length / {average_length:Float64}))) AS word_score
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
    GROUP BY generation, chunk_index, transform(term, {terms:Array(String)}, {words:Array(UInt32)}, 0)
)
GROUP BY generation, chunk_index
ORDER BY
    is_near DESC,
    score DESC,
    generation,
    chunk_index
LIMIT {per_document:UInt32} BY generation, is_near
LIMIT {k:UInt32}
