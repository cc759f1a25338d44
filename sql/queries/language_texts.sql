-- Some visible texts of each language that chunks were found to have, the same ones for the same content of the tables.
SELECT sampled.language AS language, text
FROM chunks
INNER JOIN
(
    SELECT generation, chunk_index, toString(lengths.language) AS language
    FROM lengths
    WHERE generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
    ORDER BY cityHash64(generation, chunk_index), generation, chunk_index
    LIMIT {rows:UInt32} BY language
) AS sampled ON sampled.generation = chunks.generation AND sampled.chunk_index = chunks.chunk_index
ORDER BY sampled.language, chunks.generation, chunks.chunk_index
