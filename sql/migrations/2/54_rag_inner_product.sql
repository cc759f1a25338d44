-- The inner product of two stored vectors, from their codes: exact in Int32 and Int64 up to the scales. The first codes
-- become Int16, because two Int8 arrays would be summed in Int16 and wrap. Not for codes with one range a dimension: those
-- have no scale of their own, take the vectors of live_vectors.
CREATE FUNCTION IF NOT EXISTS rag_inner_product AS
    (codes_a, scale_a, zero_point_a, codes_b, scale_b, zero_point_b) ->
    scale_a * scale_b * (
        dotProduct(arrayMap(code -> toInt16(code), codes_a), codes_b)
        - zero_point_a * arraySum(codes_b)
        - zero_point_b * arraySum(codes_a)
        + toInt64(zero_point_a) * zero_point_b * length(codes_a)
    )
