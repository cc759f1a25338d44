-- What the codes at an epoch lost against the float32 vectors that were kept: cosine, error in proportion to the
-- vector's length, the share of numbers that saturated (their error is more than half a step), and bytes, of codes of so
-- many bits.
-- `scales` and `zero_points` are those of a calibration per dimension, empty for all others.
WITH
    arrayResize({scales:Array(Float32)}, length(codes), 1) AS widths,
    arrayResize({zero_points:Array(Int16)}, length(codes), 0) AS zeros,
    arrayMap((code, width, zero) -> toFloat64(scale) * width * (code - zero_point - zero), codes, widths, zeros) AS restored,
    arrayMap(x -> toFloat64(x), float_references.vector) AS original,
    arrayMap((x, r) -> x - r, original, restored) AS lost,
    sqrt(arraySum(arrayMap(x -> x * x, original))) AS original_length,
    sqrt(arraySum(arrayMap(x -> x * x, restored))) AS restored_length,
    sqrt(arraySum(arrayMap(x -> x * x, lost))) AS lost_length
SELECT
    count() AS vectors,
    avg(if(original_length * restored_length = 0, lost_length = 0,
        arraySum(arrayMap((x, r) -> x * r, original, restored)) / (original_length * restored_length)) AS cosine) AS cosine_mean,
    min(cosine) AS cosine_least,
    avg(if(original_length = 0, 0, lost_length / original_length) AS relative_error) AS error_mean,
    max(relative_error) AS error_largest,
    sum(arrayCount((x, width) -> abs(x) > 0.5001 * toFloat64(scale) * width, lost, widths)) / sum(length(codes)) AS saturated_share,
    avg(ceil(length(codes) * {bits:UInt8} / 8) + 4 + 1 + 4 + 4) AS code_bytes,
    avg(4 * length(float_references.vector)) AS float_bytes
FROM float_references
INNER JOIN chunks
    ON float_references.generation = chunks.generation AND float_references.chunk_index = chunks.chunk_index
WHERE chunks.generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
