-- nearest_chunks for a question, by the vectors of its words alone: the visible chunks with their score, which the client
-- orders and limits: SELECT source, line, text, score FROM nearest_to_question(epoch = 7, question = 'How is a kiln fired?')
-- ORDER BY score DESC LIMIT 10. No rows where no word is known: then the vector is zeros, and so are all scores.
CREATE OR REPLACE VIEW nearest_to_question AS
SELECT *
FROM nearest_chunks(
    epoch = {epoch:UInt64},
    query = (SELECT vector FROM vector_of_words(epoch = {epoch:UInt64}, words = (SELECT rag_words({question:String}))))
)
WHERE score != 0
