-- The token, also a new one: the collection cannot be dropped while dictionaries use it.
ALTER NAMED COLLECTION rag_server SET
    `headers.header.name` = 'Authorization',
    `headers.header.value` = {authorization:String}
