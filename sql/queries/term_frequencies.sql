-- How many chunks at an epoch hold each of some terms; a term that no chunk holds has no row.
SELECT term, count() AS chunk_count
FROM postings
WHERE term IN {terms:Array(String)} AND generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
GROUP BY term
ORDER BY term
