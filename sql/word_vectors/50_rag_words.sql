-- The words of a text in order as the analyser finds them: Array(String), folded and not stemmed. Of letters that are
-- written without spaces (Thai to Khmer, Hangul, kana and Chinese) each two neighbours are a word. Two things differ: an
-- identifier is divided at each _ and not also kept whole, and more than 64 letters are no word.
CREATE FUNCTION IF NOT EXISTS rag_words AS (content) ->
    arrayFilter(
        word -> lengthUTF8(word) <= 64,
        arrayFlatten(arrayMap(
            run -> if(
                match(run, '^[\\x{0e00}-\\x{0eff}\\x{1000}-\\x{109f}\\x{1100}-\\x{11ff}\\x{1780}-\\x{17ff}\\x{3040}-\\x{30ff}\\x{3400}-\\x{9fff}\\x{ac00}-\\x{d7af}\\x{f900}-\\x{faff}\\x{20000}-\\x{3ffff}]'),
                arrayMap(place -> substringUTF8(run, place, 2), range(1, greatest(2, lengthUTF8(run)))),
                [run]
            ),
            extractAll(
                replaceRegexpAll(
                    normalizeUTF8NFKCCasefold(content),
                    '[\\x{0e00}-\\x{0eff}\\x{1000}-\\x{109f}\\x{1100}-\\x{11ff}\\x{1780}-\\x{17ff}\\x{3040}-\\x{30ff}\\x{3400}-\\x{9fff}\\x{ac00}-\\x{d7af}\\x{f900}-\\x{faff}\\x{20000}-\\x{3ffff}]+',
                    ' \\0 '
                ),
                '[\\pL\\pN\\pM]+'
            )
        ))
    )
