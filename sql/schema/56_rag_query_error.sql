-- At least the length of what rounding changed of a float query vector: of itself minus the vector that its codes stand for.
-- It is multiplied by the stored length of a chunk's vector, a float32, and makes up for what that lacks too.
CREATE FUNCTION IF NOT EXISTS rag_query_error AS (query, restored) ->
    (
        sqrt(arraySum((x, y) -> (toFloat64(x) - toFloat64(y)) * (toFloat64(x) - toFloat64(y)), query, restored))
            * (1 + exp2(-35))
        + rag_query_length(query) * exp2(-35)
    ) * (1 + exp2(-22))
