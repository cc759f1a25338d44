-- SELECT answer, citations FROM rag_answer(question = '...'): one row. materialize: a constant key may be asked for twice.
-- The condition fails with the server's sentence where there is one, for the engine's throwIf has no words but constant ones.
CREATE OR REPLACE VIEW rag_answer AS
SELECT
    {question:String} AS question,
    found.answer AS answer,
    found.answered AS answered,
    found.confidence AS confidence,
    found.citations AS citations
FROM
(
    SELECT dictGet(
        'rag_answers', ('answer', 'answered', 'confidence', 'citations', 'error'), (materialize({question:String}), '')
    ) AS found
)
WHERE CAST(found.error, 'Enum8(\'\' = 0)') = ''
