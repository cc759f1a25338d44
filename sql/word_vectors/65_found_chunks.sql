-- Chunks that were found at an epoch, each given by its document and index, with the three scores that they come with.
CREATE VIEW IF NOT EXISTS found_chunks AS
WITH
    {found:Array(Tuple(UUID, UInt32, Float64, Float64, Float64))} AS given,
    given[indexOf(arrayMap(one -> (one.1, one.2), given), (document_id, chunk_index))] AS scores
SELECT
    document_id, chunk_index, source, title, heading, char_start, char_end, line, page, place_name,
    tokens, text, metadata, scores.3 AS score, scores.4 AS vector_score, scores.5 AS bm25_score
FROM live_chunks(epoch = {epoch:UInt64})
WHERE (document_id, chunk_index) IN
(
    SELECT one.1, one.2
    FROM (SELECT arrayJoin({found:Array(Tuple(UUID, UInt32, Float64, Float64, Float64))}) AS one)
)
ORDER BY score DESC, document_id, chunk_index
