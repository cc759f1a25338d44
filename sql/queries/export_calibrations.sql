-- The ranges that the codes of an epoch share, for an export; no row where each vector has its own.
SELECT
    version, toString(granularity) AS granularity, toString(scheme) AS scheme, toString(ranges) AS ranges, model_sha256,
    sample_count, sample_hash, saturated_share, scale, zero_point, low, high
FROM calibrations
WHERE version = (SELECT max(manifest.calibration) FROM manifest WHERE manifest.epoch <= {epoch:UInt64})
ORDER BY version, written_at
LIMIT 1
