-- How the scores for a float vector are distributed, by day, folder and language of the chunks:
-- SELECT * FROM score_drift(epoch = 7, query = [0.1, ...]) ORDER BY day, folder, language.
CREATE OR REPLACE VIEW score_drift AS
SELECT
    documents.day AS day,
    documents.folder AS folder,
    words.language AS language,
    count() AS chunk_count,
    min(score) AS least_score,
    median(score) AS median_score,
    quantile(0.95)(score) AS high_score,
    max(score) AS greatest_score
FROM nearest_chunks(epoch = {epoch:UInt64}, query = {query:Array(Float32)}) AS chunks
INNER JOIN
(
    SELECT
        manifest.document_id AS document_id,
        argMax(manifest.generation, manifest.epoch) AS generation,
        toDate(argMax(manifest.written_at, manifest.epoch)) AS day,
        argMax(manifest.source, manifest.epoch) AS source,
        if(position(source, '/') > 0, replaceRegexpOne(source, '/[^/]*$', ''), '') AS folder
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
) AS documents ON documents.document_id = chunks.document_id
LEFT JOIN
(
    SELECT generation, chunk_index, toString(lengths.language) AS language FROM lengths
) AS words ON words.generation = documents.generation AND words.chunk_index = chunks.chunk_index
GROUP BY day, folder, language
