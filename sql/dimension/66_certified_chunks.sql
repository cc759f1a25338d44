-- certified_chunks of a store whose codes have one range a dimension, in the place of the view for all others. The query
-- that its codes stand for is that with the scales divided out again.
CREATE VIEW IF NOT EXISTS certified_chunks AS
WITH
    (SELECT max(manifest.calibration) FROM manifest WHERE manifest.epoch <= {epoch:UInt64}) AS used,
    (SELECT any(calibrations.scale) FROM calibrations WHERE calibrations.version = used) AS found_scales,
    (SELECT any(calibrations.zero_point) FROM calibrations WHERE calibrations.version = used) AS found_zero_points,
    -- While it plans a query, the engine takes the result of a subquery as empty.
    arrayResize(found_scales, length({query:Array(Float32)}), 1) AS scales,
    arrayResize(found_zero_points, length({query:Array(Float32)}), 0) AS zero_points,
    arrayMap((q, s) -> toFloat64(q) * toFloat64(s), rag_query_codes({query:Array(Float32)}), scales) AS folded,
    rag_query_codes(folded) AS query_codes,
    rag_query_scale({query:Array(Float32)}) * rag_query_scale(folded) AS query_scale,
    -arraySum(arrayMap((q, z) -> toInt64(q) * z, query_codes, zero_points)) AS query_offset,
    arrayMap((q, s) -> q * query_scale / toFloat64(s), query_codes, scales) AS restored,
    bounds AS
    (
        SELECT
            document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
            tokens, text, metadata,
            scale * (dotProduct(query_codes, codes) - zero_point * arraySum(query_codes) + query_offset) * query_scale AS score,
            rag_score_radius(score, error, norm, rag_query_length({query:Array(Float32)}),
                rag_query_error({query:Array(Float32)}, restored)) AS radius
        FROM chunks
        WHERE generation IN
        (
            SELECT argMax(manifest.generation, manifest.epoch)
            FROM manifest
            WHERE manifest.epoch <= {epoch:UInt64}
            GROUP BY document_id
            HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
        )
    )
SELECT
    document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata, score, score - radius AS lower, score + radius AS upper,
    -- With fewer than k others that may lie above it, it is one of the k: itself counted, k + 1 upper bounds do not reach it.
    ifNull(lower > (SELECT score + radius FROM bounds ORDER BY score + radius DESC LIMIT 1 OFFSET {k:UInt32}), 1) AS certain
FROM bounds
ORDER BY score DESC, document_id, chunk_index
LIMIT {k:UInt32}
