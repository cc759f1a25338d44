-- The k best chunks for a question at an epoch, by meaning and by words, without any program beside the database:
-- SELECT source, line, text, score FROM text_search(epoch = 7, question = 'How is a kiln fired?', k = 10).
CREATE VIEW IF NOT EXISTS text_search AS
SELECT *
FROM found_chunks(
    epoch = {epoch:UInt64},
    found = (
        SELECT groupArray((document_id, chunk_index, score, vector_score, bm25_score))
        FROM
        (
            SELECT document_id, chunk_index, score, vector_score, bm25_score
            FROM fused_scores(
                epoch = {epoch:UInt64},
                asked = (
                    SELECT asked
                    FROM refined_question(
                        epoch = {epoch:UInt64},
                        asked = (SELECT asked FROM question_vector(epoch = {epoch:UInt64}, question = {question:String}))
                    )
                )
            )
            ORDER BY score DESC, document_id, chunk_index
            LIMIT {k:UInt32}
        )
    )
)
