-- For aiGenerate(question, map('credentials', 'rag_chat')), which engines have from 26.7 on.
CREATE NAMED COLLECTION IF NOT EXISTS rag_chat AS provider = 'openai'
