-- The Euclidean length of a float query vector, in float64 and not less than it is.
CREATE FUNCTION IF NOT EXISTS rag_query_length AS (query) ->
    sqrt(arraySum(x -> toFloat64(x) * toFloat64(x), query)) * (1 + exp2(-35))
