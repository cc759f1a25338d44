-- The Array(Int16) codes of a float query vector. Int16, not Int8: two Int8 arrays would be summed in Int16 and wrap.
CREATE FUNCTION IF NOT EXISTS rag_query_codes AS (query) ->
    arrayMap(x -> toInt16(round(x / rag_query_scale(query))), query)
