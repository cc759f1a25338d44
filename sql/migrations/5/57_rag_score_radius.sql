-- How far the inner product of the float vectors can lie from a score, whatever was rounded: |x q - x' q'| is at most
-- |x - x'| |q| + |x'| |q - q'| (Cauchy and Schwarz), and a little for the arithmetic. Infinite where the error is not known.
CREATE FUNCTION IF NOT EXISTS rag_score_radius AS (score, error, norm, query_length, query_error) ->
    if(isInfinite(error), toFloat64(inf), error * query_length + norm * query_error + abs(score) * exp2(-35))
