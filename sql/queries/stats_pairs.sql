-- stats_vector of a store whose codes have 4 bits, two of which lie in a number.
SELECT
    length(code_pairs) AS code_pairs,
    byteSize(scale) AS scale,
    byteSize(zero_point) AS zero_point,
    byteSize(norm) AS norm,
    byteSize(error) AS error,
    length(signs) AS signs
FROM chunks
LIMIT 1
