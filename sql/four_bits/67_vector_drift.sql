-- vector_drift of a store whose codes have 4 bits, in the place of the view for all others.
CREATE VIEW IF NOT EXISTS vector_drift AS
WITH (SELECT if(startsWith(argMax(collection.quantizer, collection.revision), 'symmetric'), -7, -8) FROM collection) AS lowest
SELECT
    documents.day AS day,
    documents.folder AS folder,
    words.language AS language,
    count() AS chunk_count,
    sum(arrayCount(code -> code = 7 OR code = lowest, codes)) / sum(length(codes)) AS saturated,
    countIf(isInfinite(error)) AS unknown_errors,
    avgIf(error / norm, isFinite(error) AND norm > 0) AS relative_error,
    maxIf(error / norm, isFinite(error) AND norm > 0) AS greatest_relative_error,
    min(norm) AS least_norm,
    median(norm) AS median_norm,
    max(norm) AS greatest_norm
FROM chunks
INNER JOIN
(
    SELECT
        argMax(manifest.generation, manifest.epoch) AS generation,
        toDate(argMax(manifest.written_at, manifest.epoch)) AS day,
        argMax(manifest.source, manifest.epoch) AS source,
        if(position(source, '/') > 0, replaceRegexpOne(source, '/[^/]*$', ''), '') AS folder
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
) AS documents ON documents.generation = chunks.generation
LEFT JOIN
(
    SELECT generation, chunk_index, toString(lengths.language) AS language FROM lengths
) AS words ON words.generation = chunks.generation AND words.chunk_index = chunks.chunk_index
GROUP BY day, folder, language
