-- For aiEmbed(text, encoder, map('credentials', 'rag_embed')), which engines have from 26.7 on.
CREATE NAMED COLLECTION IF NOT EXISTS rag_embed AS provider = 'openai'
