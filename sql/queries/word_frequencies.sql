-- How many chunks at an epoch hold each of some words, in any of its forms: each word is a number, and each term the form
-- of one. A word that no chunk holds has no row.
SELECT word, count() AS chunk_count
FROM
(
    SELECT DISTINCT
        transform(term, {terms:Array(String)}, {words:Array(UInt32)}, 0) AS word,
        generation,
        chunk_index
    FROM postings
    WHERE term IN {terms:Array(String)} AND generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
)
GROUP BY word
ORDER BY word
