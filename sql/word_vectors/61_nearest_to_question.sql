-- nearest_chunks for a question, by the vectors of its words alone: the visible chunks with their score, which the client
-- orders and limits: SELECT source, line, text, score FROM nearest_to_question(epoch = 7, question = 'How is a kiln fired?')
-- ORDER BY score DESC LIMIT 10. No rows where no word is known.
CREATE VIEW IF NOT EXISTS nearest_to_question AS
SELECT *
FROM nearest_chunks(
    epoch = {epoch:UInt64},
    query = (SELECT vector FROM question_vector(epoch = {epoch:UInt64}, question = {question:String}))
)
WHERE (SELECT most > 0 FROM question_vector(epoch = {epoch:UInt64}, question = {question:String}))
