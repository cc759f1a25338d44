-- Where aiEmbed asks, and the token.
ALTER NAMED COLLECTION rag_embed SET endpoint = {embed_url:String}, api_key = {token:String}
