-- The words of the visible chunks that have no vector yet.
SELECT DISTINCT word
FROM
(
    SELECT arrayJoin(rag_words(text)) AS word
    FROM chunks
    WHERE generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
)
WHERE word GLOBAL NOT IN (SELECT word_vectors.word FROM word_vectors)
ORDER BY word
