-- The vector of some words, of length 1, made of theirs; zeros where no word is known. question_vector is this view for the
-- words of a question. They are values here, because to divide a text takes longer than to look up what is known of its words.
-- terms: what postings have in the place of each word that is known, with the number of the word and its weight, which is
-- ln(1 + (N - n + 0.5) / (n + 0.5)), where n of the N visible chunks hold the word, times how often it is asked; a stop word of
-- a language of the store is left out. most: the sum of the weights. share: what the vector counts beside the words in a hybrid
-- search, which is less where the encoder cuts words into pieces. usual_length: the average number of terms of a visible chunk.
-- folded: the vector with the scales of codes that have one range a dimension. asked: what asked_chunks takes.
CREATE OR REPLACE VIEW vector_of_words AS
SELECT
    arrayMap(x -> toFloat32(x / greatest(L2Norm(total), 1e-9)), arrayResize(total, dimensions, 0)) AS vector,
    arrayFlatten(arrayMap(
        (word, number) -> arrayMap(term -> (term, toUInt32(number), word.2), word.1), known, arrayEnumerate(known)
    )) AS terms,
    arraySum(word -> word.2, known) AS most,
    0.45 * greatest(whole_words, 1) / greatest(all_pieces, 1) AS share,
    arrayMap((x, step) -> toFloat64(x) * step, vector, arrayResize(ranges[1].1, dimensions, 1)) AS folded,
    (
        terms, most, share, usual_length, ranges[1].1, ranges[1].2, rag_query_codes(folded), toFloat64(rag_query_scale(folded))
    ) AS asked
FROM
(
    SELECT
        sumForEach(arrayMap(x -> x * weight, rag_dequantize(codes, scale, zero_point))) AS total,
        groupArrayIf((own_terms, weight), weight > 0) AS known,
        sumIf(times, weight > 0) AS whole_words,
        sumIf(pieces * times, weight > 0) AS all_pieces,
        any(usual_terms) AS usual_length
    FROM
    (
        SELECT
            word,
            pieces,
            usual_terms,
            codes,
            scale,
            zero_point,
            arrayMap(form -> splitByChar(' ', form), forms) AS pairs,
            arrayDistinct(arrayMap(pair -> pair[2], arrayFilter(pair -> hasAny(languages, [pair[1], 'mul']), pairs))) AS own_terms,
            arrayExists(code -> code != 'mul' AND NOT has(arrayMap(pair -> pair[1], pairs), code), languages) AS is_stop_word,
            countEqual({words:Array(String)}, word) AS times,
            least(chunk_count, arraySum(term -> holders[term], own_terms)) AS holding,
            if(is_stop_word, 0., times * log(1 + (chunk_count - holding + 0.5) / (holding + 0.5))) AS weight
        FROM (SELECT * FROM word_vectors WHERE word IN {words:Array(String)} AND epoch <= {epoch:UInt64}) AS asked_words
        CROSS JOIN
        (
            SELECT
                count() AS chunk_count,
                avg(lengths.terms) AS usual_terms,
                groupUniqArrayArray(splitByChar(' ', toString(lengths.language))) AS languages
            FROM lengths
            WHERE generation IN
            (
                SELECT argMax(manifest.generation, manifest.epoch)
                FROM manifest
                WHERE manifest.epoch <= {epoch:UInt64}
                GROUP BY document_id
                HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
            )
        ) AS whole
        CROSS JOIN
        (
            SELECT mapFromArrays(groupArray(term), groupArray(holders)) AS holders
            FROM
            (
                SELECT term, count() AS holders
                FROM postings
                WHERE term GLOBAL IN
                (
                    SELECT arrayJoin(arrayMap(form -> splitByChar(' ', form)[2], forms))
                    FROM word_vectors
                    WHERE word IN {words:Array(String)}
                ) AND generation IN
                (
                    SELECT argMax(manifest.generation, manifest.epoch)
                    FROM manifest
                    WHERE manifest.epoch <= {epoch:UInt64}
                    GROUP BY document_id
                    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
                )
                GROUP BY term
            )
        ) AS counted
        ORDER BY word, asked_words.epoch
        LIMIT 1 BY word
    )
) AS weighed
CROSS JOIN
(
    SELECT
        length(codes) AS dimensions,
        (
            SELECT [(groupArrayArray(calibrations.scale), groupArrayArray(calibrations.zero_point))]
            FROM calibrations
            WHERE granularity = 'dimension'
                AND version = (SELECT max(manifest.calibration) FROM manifest WHERE manifest.epoch <= {epoch:UInt64})
        ) AS ranges
    FROM word_vectors
    LIMIT 1
) AS any_word
