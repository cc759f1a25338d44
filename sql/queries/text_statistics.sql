-- Chunks and terms at an epoch, language by language, the most common one first: what BM25 has to know of the whole.
SELECT language, count() AS chunk_count, sum(terms) AS term_count
FROM lengths
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
GROUP BY language
ORDER BY chunk_count DESC, language
