-- live_vectors of a store whose codes have one range a dimension, in the place of the view for all others.
CREATE VIEW IF NOT EXISTS live_vectors AS
WITH
    (SELECT max(manifest.calibration) FROM manifest WHERE manifest.epoch <= {epoch:UInt64}) AS used,
    (SELECT any(calibrations.scale) FROM calibrations WHERE calibrations.version = used) AS scales,
    (SELECT any(calibrations.zero_point) FROM calibrations WHERE calibrations.version = used) AS zero_points
SELECT
    document_id, chunk_index, source, title, heading, line, page, text, metadata,
    arrayMap((code, step, zero) -> toFloat32(step * (code - zero)), codes, scales, zero_points) AS vector
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
