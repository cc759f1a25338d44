-- The vector of a question, of length 1, made of those of its words, without the encoder; zeros where no word is known:
-- SELECT vector FROM question_vector(epoch = 7, question = 'How is a kiln fired?'). It can be the query of nearest_chunks.
-- terms: what postings have in the place of each word that is known, with the number of the word and its weight, which is
-- ln(1 + (N - n + 0.5) / (n + 0.5)), where n of the N visible chunks hold the word, times how often it is asked; a stop word of
-- a language of the store is left out. most: the sum of the weights. share: what the vector counts beside the words in a hybrid
-- search, which is less where the encoder cuts words into pieces. asked: all of it, as asked_chunks takes it.
CREATE VIEW IF NOT EXISTS question_vector AS
SELECT
    arrayMap(x -> toFloat32(x / greatest(L2Norm(total), 1e-9)), arrayResize(total, dimensions, 0)) AS vector,
    arrayFlatten(arrayMap(
        (word, number) -> arrayMap(term -> (term, toUInt32(number), word.2), word.1), known, arrayEnumerate(known)
    )) AS terms,
    arraySum(word -> word.2, known) AS most,
    0.45 * greatest(whole_words, 1) / greatest(all_pieces, 1) AS share,
    (vector, terms, most, share) AS asked
FROM
(
    SELECT
        sumForEach(arrayMap(x -> x * weight, rag_dequantize(codes, scale, zero_point))) AS total,
        groupArrayIf((own_terms, weight), weight > 0) AS known,
        sumIf(times, weight > 0) AS whole_words,
        sumIf(pieces * times, weight > 0) AS all_pieces
    FROM
    (
        SELECT
            word,
            pieces,
            codes,
            scale,
            zero_point,
            arrayMap(form -> splitByChar(' ', form), forms) AS pairs,
            arrayDistinct(arrayMap(pair -> pair[2], arrayFilter(pair -> hasAny(languages, [pair[1], 'mul']), pairs))) AS own_terms,
            arrayExists(code -> code != 'mul' AND NOT has(arrayMap(pair -> pair[1], pairs), code), languages) AS is_stop_word,
            countEqual(asked_words, word) AS times,
            least(chunk_count, arraySum(term -> holders[term], own_terms)) AS holding,
            if(is_stop_word, 0., times * log(1 + (chunk_count - holding + 0.5) / (holding + 0.5))) AS weight
        FROM word_vectors
        CROSS JOIN (SELECT rag_words({question:String}) AS asked_words) AS question
        CROSS JOIN
        (
            SELECT count() AS chunk_count, groupUniqArrayArray(splitByChar(' ', toString(lengths.language))) AS languages
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
                WHERE term IN
                (
                    SELECT arrayJoin(arrayMap(form -> splitByChar(' ', form)[2], forms))
                    FROM word_vectors
                    WHERE word IN (SELECT arrayJoin(rag_words({question:String})))
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
        WHERE word IN (SELECT arrayJoin(rag_words({question:String}))) AND word_vectors.epoch <= {epoch:UInt64}
        ORDER BY word, word_vectors.epoch
        LIMIT 1 BY word
    )
) AS weighed
CROSS JOIN (SELECT any(length(codes)) AS dimensions FROM word_vectors) AS any_word
