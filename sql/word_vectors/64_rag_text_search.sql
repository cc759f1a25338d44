-- The ten best chunks for a question in what was published last: SELECT * FROM rag_text_search(question = 'How is a kiln fired?').
-- The epoch is looked up once, before the search that it is given to.
CREATE VIEW IF NOT EXISTS rag_text_search AS
SELECT *
FROM text_search(epoch = (SELECT max(epoch) FROM manifest), question = {question:String}, k = 10)
ORDER BY score DESC, document_id, chunk_index
