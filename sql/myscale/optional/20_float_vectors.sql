-- The vectors as Float32 beside their codes, for MyScale's indexes over floats: four more bytes a number.
ALTER TABLE chunks ADD COLUMN IF NOT EXISTS vector Array(Float32)
    MATERIALIZED arrayMap(code -> toFloat32(scale * (code - zero_point)), codes)
