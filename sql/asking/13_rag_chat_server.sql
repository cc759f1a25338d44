-- Where aiGenerate asks, and the token.
ALTER NAMED COLLECTION rag_chat SET endpoint = {chat_url:String}, model = 'int8-rag', api_key = {token:String}
