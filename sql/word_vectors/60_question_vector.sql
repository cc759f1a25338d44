-- The vector of a question, of length 1, made of those of its words, without the encoder; zeros where no word is known:
-- SELECT vector FROM question_vector(epoch = 7, question = 'How is a kiln fired?'). It can be the query of nearest_chunks.
-- vector_of_words says what its columns are.
CREATE OR REPLACE VIEW question_vector AS
SELECT *
FROM vector_of_words(epoch = {epoch:UInt64}, words = (SELECT rag_words({question:String})))
