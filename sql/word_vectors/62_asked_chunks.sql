-- The k best chunks for what question_vector makes of a question, by meaning and by words.
-- score: share * cosine + (1 - share) * BM25 / (the BM25 of a chunk that has every word without end), as in a hybrid search.
-- It is computed twice. The vector of words is a guess at what the encoder would say of the question, and those of chunks are its
-- own: so the vectors of the two best chunks are added to it, with as much weight as it has, and the 200 best (or k) are ranked
-- by what comes out (J. Rocchio, "Relevance feedback in information retrieval", 1971).
-- What is asked goes along as the columns of one row: an alias would be worked out again in every place that names it.
CREATE VIEW IF NOT EXISTS asked_chunks AS
WITH
    -- Where the codes have one range a dimension, its scales are folded into the query; elsewhere these are ones and zeros.
    given AS
    (
        SELECT
            tupleElement(values, 1) AS vector,
            tupleElement(values, 2) AS terms,
            tupleElement(values, 3) AS most,
            tupleElement(values, 4) AS share,
            arrayResize(shared_scales, length(vector), 1) AS scales,
            arrayResize(shared_zero_points, length(vector), 0) AS zero_points,
            usual_length
        FROM
        (
            SELECT {asked:Tuple(Array(Float32), Array(Tuple(String, UInt32, Float64)), Float64, Float64)} AS values
        ) AS one
        CROSS JOIN
        (
            SELECT groupArrayArray(calibrations.scale) AS shared_scales, groupArrayArray(calibrations.zero_point) AS shared_zero_points
            FROM calibrations
            WHERE granularity = 'dimension' AND version = (SELECT max(manifest.calibration) FROM manifest WHERE manifest.epoch <= {epoch:UInt64})
        ) AS ranges
        CROSS JOIN
        (
            SELECT avg(lengths.terms) AS usual_length
            FROM lengths
            WHERE generation IN
            (
                SELECT argMax(manifest.generation, manifest.epoch)
                FROM manifest
                WHERE manifest.epoch <= {epoch:UInt64}
                GROUP BY document_id
                HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
            )
        ) AS chunk_lengths
    ),
    by_words AS
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
                FROM given
                ARRAY JOIN terms AS one
            ) AS words ON words.term = postings.term
            WHERE postings.term IN
            (
                SELECT arrayJoin(tupleElement({asked:Tuple(Array(Float32), Array(Tuple(String, UInt32, Float64)), Float64, Float64)}, 2)).1
            ) AND generation IN
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
    )
SELECT
    document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata, vector_score, bm25_score, score
FROM chunks
INNER JOIN
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
            most,
            share,
            rag_query_scale(folded) AS query_scale,
            rag_query_codes(folded) AS query_codes,
            arraySum(query_codes) AS query_sum,
            arraySum((code, zero) -> toInt64(code) * zero, query_codes, zero_points) AS query_offset
        FROM
        (
            SELECT
                most,
                share,
                zero_points,
                ranked,
                arrayReduce('sumForEach', arrayMap(
                    row -> arrayMap((code, step, zero) -> row.7 * step * (code - row.8 - zero), row.6, scales, zero_points),
                    arraySlice(ranked, 1, 2)
                )) AS best,
                arrayMap((x, y, step) -> (x + y / greatest(L2Norm(best), 1e-9)) / 2 * step, vector, best, scales) AS folded
            FROM
            (
                SELECT
                    arraySort(groupArray(
                        (-first_score, cell, generation, document_id, chunk_index, codes, scale, zero_point, bm25)
                    )) AS ranked
                FROM
                (
                    SELECT
                        cell, generation, document_id, chunk_index, codes, scale, zero_point, bm25,
                        share * scale * (dotProduct(first_codes, codes) - zero_point * first_sum - first_offset) * first_scale
                            + (1 - share) * bm25 / most AS first_score
                    FROM chunks
                    CROSS JOIN
                    (
                        -- What is not needed here comes later: each column of this row is copied for every chunk.
                        SELECT
                            most,
                            share,
                            arrayMap((x, step) -> toFloat64(x) * step, vector, scales) AS first_folded,
                            rag_query_scale(first_folded) AS first_scale,
                            rag_query_codes(first_folded) AS first_codes,
                            arraySum(first_codes) AS first_sum,
                            arraySum((code, zero) -> toInt64(code) * zero, first_codes, zero_points) AS first_offset
                        FROM given
                    ) AS first_query
                    LEFT JOIN by_words ON its_generation = chunks.generation AND its_index = chunks.chunk_index
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
            ) AS candidates
            CROSS JOIN given
        )
    )
    ORDER BY score DESC, one.4, one.5
    LIMIT {k:UInt64}
) AS found ON found_cell = cell AND found_generation = generation AND found_index = chunk_index
ORDER BY score DESC, document_id, chunk_index
