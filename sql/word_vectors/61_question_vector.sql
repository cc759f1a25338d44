-- The vector of a question, of length 1: those of its words by their weights, added up; zeros where no word is known.
-- words: the terms and the weight of each. share: what the vector counts beside them in a hybrid search, which is less where the
-- encoder cuts words into pieces. asked: all three, as fused_scores takes them.
CREATE VIEW IF NOT EXISTS question_vector AS
SELECT
    arrayMap(x -> toFloat32(x / greatest(L2Norm(total), 1e-9)), arrayResize(total, assumeNotNull(dimensions), 0)) AS vector,
    words,
    share,
    (vector, words, share) AS asked
FROM
(
    SELECT
        sumForEach(arrayMap(x -> x * weight, vector)) AS total,
        groupArray((terms, weight)) AS words,
        if(count() = 0, 0.45, 0.45 * sum(times) / sum(pieces * times)) AS share,
        (SELECT any(length(codes)) FROM word_vectors) AS dimensions
    FROM known_words(epoch = {epoch:UInt64}, words = (SELECT rag_words({question:String})))
    WHERE weight > 0
)
