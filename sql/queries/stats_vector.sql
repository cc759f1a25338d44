-- The bytes of one vector by column before compression; every row of a store has the same.
SELECT
    length(codes) AS codes,
    byteSize(scale) AS scale,
    byteSize(zero_point) AS zero_point,
    byteSize(norm) AS norm,
    byteSize(error) AS error,
    length(signs) AS signs
FROM chunks
LIMIT 1
