-- The k best chunks for a question at an epoch, by meaning and by words, without any program beside the database:
-- SELECT source, line, text, score FROM text_search(epoch = 7, question = 'How is a kiln fired?', k = 10).
CREATE OR REPLACE VIEW text_search AS
SELECT *
FROM asked_chunks(
    epoch = {epoch:UInt64},
    asked = (SELECT asked FROM vector_of_words(epoch = {epoch:UInt64}, words = (SELECT rag_words({question:String})))),
    k = {k:UInt64}
)
ORDER BY score DESC, document_id, chunk_index
