-- Exact search for any SQL client that holds a float vector; the client orders and limits:
-- SELECT source, line, text, score FROM nearest_chunks(epoch = 7, query = [0.1, ...]) ORDER BY score DESC LIMIT 10.
CREATE OR REPLACE VIEW nearest_chunks AS
WITH
    rag_query_codes({query:Array(Float32)}) AS query_codes,
    rag_query_scale({query:Array(Float32)}) AS query_scale
SELECT
    document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata,
    rag_score(query_codes, query_scale, codes, scale, zero_point) AS score
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
