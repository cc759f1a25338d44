-- Every visible chunk with its scores for what is asked: a vector, words, which are terms with a weight, and the share of the
-- vector. They are put together as in a hybrid search: share * cosine + (1 - share) * BM25 / (the BM25 of a chunk that has
-- every word without end). No rows where there are no words.
CREATE VIEW IF NOT EXISTS fused_scores AS
WITH
    {asked:Tuple(Array(Float32), Array(Tuple(Array(String), Float64)), Float64)} AS given,
    arrayFlatten(arrayMap(one -> one.1, given.2)) AS asked_terms,
    arrayFlatten(arrayMap((one, number) -> arrayMap(term -> toUInt32(number), one.1), given.2, arrayEnumerate(given.2))) AS numbers,
    arrayFlatten(arrayMap(one -> arrayMap(term -> one.2, one.1), given.2)) AS term_weights,
    (
        SELECT avg(lengths.terms)
        FROM lengths
        WHERE generation IN
        (
            SELECT argMax(manifest.generation, manifest.epoch)
            FROM manifest
            WHERE manifest.epoch <= {epoch:UInt64}
            GROUP BY document_id
            HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
        )
    ) AS usual_length
SELECT
    near.document_id AS document_id,
    near.chunk_index AS chunk_index,
    near.score AS vector_score,
    found.bm25 AS bm25_score,
    given.3 * vector_score + (1 - given.3) * bm25_score / arraySum(one -> one.2, given.2) AS score
FROM nearest_chunks(
    epoch = {epoch:UInt64},
    query = (SELECT tupleElement({asked:Tuple(Array(Float32), Array(Tuple(Array(String), Float64)), Float64)}, 1))
) AS near
LEFT JOIN
(
    SELECT document_id, chunk_index, sum(of_word) AS bm25
    FROM
    (
        SELECT
            generation,
            chunk_index,
            max(transform(term, asked_terms, term_weights, 0.) * frequency / (frequency + 1.2 * (0.25 + 0.75 * length / usual_length))) AS of_word
        FROM postings
        WHERE term IN (SELECT arrayJoin(arrayFlatten(arrayMap(one -> one.1, tupleElement({asked:Tuple(Array(Float32), Array(Tuple(Array(String), Float64)), Float64)}, 2)))))
        GROUP BY generation, chunk_index, transform(term, asked_terms, numbers, toUInt32(0))
    ) AS of_words
    INNER JOIN live_documents(epoch = {epoch:UInt64}) AS documents ON documents.generation = of_words.generation
    GROUP BY document_id, chunk_index
) AS found ON found.document_id = near.document_id AND found.chunk_index = near.chunk_index
WHERE notEmpty(given.2)
