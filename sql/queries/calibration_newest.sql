-- The calibration that was stored last, whether anything was published with it or not.
SELECT
    version, granularity, scheme, ranges, model_sha256, sample_count, sample_hash, saturated_share, scale, zero_point, low,
    high
FROM calibrations
ORDER BY version DESC, written_at DESC
LIMIT 1
