-- The k chunks nearest to a float vector, and what is proven of their order by float32 vectors, which no longer exist: such
-- a score lies within lower..upper; a certain chunk is among the k nearest of float32 vectors, whatever the others are.
-- SELECT source, line, score, lower, upper, certain FROM certified_chunks(epoch = 7, query = [0.1, ...], k = 10).
CREATE OR REPLACE VIEW certified_chunks AS
WITH bounds AS
(
    SELECT
        document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
        tokens, text, metadata,
        rag_score(rag_query_codes({query:Array(Float32)}), rag_query_scale({query:Array(Float32)}), codes, scale, zero_point)
            AS score,
        rag_score_radius(score, error, norm, rag_query_length({query:Array(Float32)}),
            rag_query_error({query:Array(Float32)}, arrayMap(code -> code * rag_query_scale({query:Array(Float32)}),
                rag_query_codes({query:Array(Float32)})))) AS radius
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
