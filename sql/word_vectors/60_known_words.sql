-- Those of some words that word_vectors knows, each with its vector and with what it is worth:
-- SELECT word, weight FROM known_words(epoch = 7, words = (SELECT rag_words('How is a kiln fired?'))) ORDER BY weight DESC.
-- weight is ln(1 + (N - n + 0.5) / (n + 0.5)), where n of the N visible chunks hold the word, times how often it is asked; a
-- stop word weighs 0. A word with several forms is counted once for each.
CREATE VIEW IF NOT EXISTS known_words AS
WITH
    (
        SELECT (count(), groupUniqArrayArray(splitByChar(' ', toString(lengths.language))))
        FROM lengths
        WHERE generation IN
        (
            SELECT argMax(manifest.generation, manifest.epoch)
            FROM manifest
            WHERE manifest.epoch <= {epoch:UInt64}
            GROUP BY document_id
            HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
        )
    ) AS whole,
    (
        SELECT (groupArray(term), groupArray(holders))
        FROM
        (
            SELECT term, count() AS holders
            FROM postings
            WHERE term IN
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
SELECT
    word,
    terms,
    pieces,
    countEqual({words:Array(String)}, word) AS times,
    least(chunks, arraySum(arrayMap(term -> transform(term, counted.1, counted.2, 0), terms))) AS holders,
    if(is_stop_word, 0., times * log(1 + (chunks - holders + 0.5) / (holders + 0.5))) AS weight,
    rag_dequantize(codes, scale, zero_point) AS vector
FROM
(
    SELECT
        word,
        pieces,
        codes,
        scale,
        zero_point,
        assumeNotNull(whole.1) AS chunks,
        assumeNotNull(whole.2) AS languages,
        arrayMap(form -> splitByChar(' ', form), forms) AS pairs,
        arrayDistinct(arrayMap(pair -> pair[2], arrayFilter(pair -> hasAny(languages, [pair[1], 'mul']), pairs))) AS terms,
        arrayExists(code -> code != 'mul' AND NOT has(arrayMap(pair -> pair[1], pairs), code), languages) AS is_stop_word
    FROM word_vectors
    WHERE word IN {words:Array(String)} AND word_vectors.epoch <= {epoch:UInt64}
    ORDER BY word, word_vectors.epoch
    LIMIT 1 BY word
)
