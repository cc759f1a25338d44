-- The vector behind codes, scale and zero-point: Array(Float32) of the same length.
CREATE FUNCTION IF NOT EXISTS rag_dequantize AS (codes, scale, zero_point) ->
    arrayMap(code -> toFloat32(scale * (code - zero_point)), codes)
