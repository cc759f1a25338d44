-- The inner product of a quantized query and a stored vector.
CREATE FUNCTION IF NOT EXISTS rag_score AS (query_codes, query_scale, codes, scale, zero_point) ->
    scale * (dotProduct(query_codes, codes) - zero_point * arraySum(query_codes)) * query_scale
