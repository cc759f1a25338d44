-- The k best chunks for what question_vector makes of a question, by meaning and by words.
-- score: share * cosine + (1 - share) * BM25 / (the BM25 of a chunk that has every word without end), as in a hybrid search.
-- It is computed twice. The vector of words is a guess at what the encoder would say of the question, and those of chunks are its
-- own: so the vectors of the two best chunks are added to it, with as much weight as it has, and the 200 best (or k) are ranked
-- by what comes out (J. Rocchio, "Relevance feedback in information retrieval", 1971).
-- What is asked is a value, so its parts are constants in the scan: as columns of a row they would be copied for every chunk.
CREATE OR REPLACE VIEW asked_chunks AS
WITH
    {asked:Tuple(Array(Tuple(String, UInt32, Float64)), Float64, Float64, Float64, Array(Float32), Array(Int16), Array(Int16), Float64)}
        AS given,
    tupleElement(given, 2) AS most,
    tupleElement(given, 3) AS share,
    tupleElement(given, 7) AS first_codes,
    tupleElement(given, 8) AS first_scale,
    arraySum(first_codes) AS first_sum,
    -- Where the codes have one range a dimension, its scales are folded into the query; elsewhere there are none here.
    arraySum(
        (code, zero) -> toInt64(code) * zero, first_codes, arrayResize(tupleElement(given, 6), length(first_codes), 0)
    ) AS first_offset
SELECT
    document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata, vector_score, bm25_score, score
FROM chunks
GLOBAL INNER JOIN
(
    SELECT
        one.2 AS found_cell,
        one.3 AS found_generation,
        one.5 AS found_index,
        one.7 * (dotProduct(query_codes, one.6) - one.8 * query_sum - query_offset) * query_scale AS vector_score,
        one.9 AS bm25_score,
        share * vector_score + (1 - share) * bm25_score / most AS score
    FROM
    (
        SELECT
            arrayJoin(ranked) AS one,
            rag_query_scale(folded) / 2 AS query_scale,
            rag_query_codes(folded) AS query_codes,
            arraySum(query_codes) AS query_sum,
            arraySum((code, zero) -> toInt64(code) * zero, query_codes, zero_points) AS query_offset
        FROM
        (
            SELECT
                ranked,
                scales,
                zero_points,
                arrayReduce('sumForEach', arrayMap(
                    row -> arrayMap((code, step, zero) -> row.7 * step * (code - row.8 - zero), row.6, scales, zero_points),
                    arraySlice(ranked, 1, 2)
                )) AS best,
                greatest(L2Norm(best), 1e-9) AS best_length,
                arrayMap(
                    (code, x, step) -> code * asked_scale + x / best_length * step, asked_codes, best, scales
                ) AS folded
            FROM
            (
                SELECT
                    arraySort(groupArray(
                        (-first_score, cell, generation, document_id, chunk_index, codes, scale, zero_point, bm25)
                    )) AS ranked,
                    first_codes AS asked_codes,
                    first_scale AS asked_scale,
                    arrayResize(tupleElement(given, 5), length(asked_codes), 1) AS scales,
                    arrayResize(tupleElement(given, 6), length(asked_codes), 0) AS zero_points
                FROM
                (
                    SELECT
                        cell, generation, document_id, chunk_index, codes, scale, zero_point, bm25,
                        share * scale * (dotProduct(first_codes, codes) - zero_point * first_sum - first_offset) * first_scale
                            + (1 - share) * bm25 / most AS first_score
                    FROM chunks
                    LEFT JOIN
                    (
                        SELECT generation AS its_generation, chunk_index AS its_index, sum(of_word) AS bm25
                        FROM
                        (
                            SELECT
                                generation,
                                chunk_index,
                                max(weight * frequency / (frequency + 1.2 * (0.25 + 0.75 * length / usual_length))) AS of_word
                            FROM postings
                            INNER JOIN
                            (
                                SELECT one.1 AS term, one.2 AS number, one.3 AS weight, usual_length
                                FROM (SELECT arrayJoin(tupleElement(given, 1)) AS one, tupleElement(given, 4) AS usual_length)
                            ) AS words ON words.term = postings.term
                            WHERE postings.term IN (SELECT arrayJoin(tupleElement(given, 1)).1) AND generation IN
                            (
                                SELECT argMax(manifest.generation, manifest.epoch)
                                FROM manifest
                                WHERE manifest.epoch <= {epoch:UInt64}
                                GROUP BY document_id
                                HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
                            )
                            GROUP BY generation, chunk_index, number
                        )
                        GROUP BY generation, chunk_index
                    ) AS by_words ON its_generation = chunks.generation AND its_index = chunks.chunk_index
                    WHERE most > 0 AND generation IN
                    (
                        SELECT argMax(manifest.generation, manifest.epoch)
                        FROM manifest
                        WHERE manifest.epoch <= {epoch:UInt64}
                        GROUP BY document_id
                        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
                    )
                    ORDER BY first_score DESC, document_id, chunk_index
                    LIMIT greatest({k:UInt64}, 200)
                )
                HAVING count() > 0
            )
        )
    )
    ORDER BY score DESC, one.4, one.5
    LIMIT {k:UInt64}
) AS found ON found_cell = cell AND found_generation = generation AND found_index = chunk_index
ORDER BY score DESC, document_id, chunk_index
