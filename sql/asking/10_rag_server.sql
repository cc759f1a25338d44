-- What is sent with each question. Whoever may read system.named_collections sees its names, and no value of it.
CREATE NAMED COLLECTION IF NOT EXISTS rag_server AS format = 'JSONEachRow'
