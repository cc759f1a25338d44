-- The ten best chunks for a question in what was published last, which a cluster's commits tell:
-- SELECT * FROM rag_text_search(question = 'How is a kiln fired?').
-- Not a view of text_search: a view in a view is planned once more, with all that it makes of the question.
CREATE OR REPLACE VIEW rag_text_search AS
SELECT *
FROM asked_chunks(
    epoch = (SELECT max(epoch) FROM commits),
    asked = (
        SELECT asked
        FROM vector_of_words(epoch = (SELECT max(epoch) FROM commits), words = (SELECT rag_words({question:String})))
    ),
    k = 10
)
ORDER BY score DESC, document_id, chunk_index
