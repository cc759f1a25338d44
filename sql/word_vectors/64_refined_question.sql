-- What is asked, nearer to what the encoder would have said: the vectors of words are put together without the encoder, those
-- of chunks are its own, so the vectors of the two best chunks are added to the question's, with as much weight as it has
-- (J. Rocchio, 1971). Takes and returns what fused_scores takes.
CREATE VIEW IF NOT EXISTS refined_question AS
WITH {asked:Tuple(Array(Float32), Array(Tuple(Array(String), Float64)), Float64)} AS given
SELECT
    (
        arrayMap((x, y) -> toFloat32((x + y / greatest(L2Norm(best), 1e-9)) / 2), given.1, arrayResize(best, length(given.1), 0)),
        given.2,
        given.3
    ) AS asked
FROM
(
    SELECT sumForEach(arrayMap(x -> toFloat64(x), vector)) AS best
    FROM live_vectors(epoch = {epoch:UInt64})
    WHERE (document_id, chunk_index) IN
    (
        SELECT document_id, chunk_index
        FROM fused_scores(
            epoch = {epoch:UInt64},
            asked = (SELECT {asked:Tuple(Array(Float32), Array(Tuple(Array(String), Float64)), Float64)})
        )
        ORDER BY score DESC, document_id, chunk_index
        LIMIT 2
    )
)
