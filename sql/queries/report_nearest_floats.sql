-- Of some chunks the k nearest to each of some vectors, by the float32 vectors that were kept of them. Questions count
-- from 1; equals come in the order in which a search returns them.
SELECT questions.question AS question, chunks.generation AS generation, chunks.chunk_index AS chunk_index
FROM float_references
INNER JOIN chunks
    ON float_references.generation = chunks.generation AND float_references.chunk_index = chunks.chunk_index
CROSS JOIN
(
    SELECT
        arrayJoin(arrayZip(
            arrayEnumerate({vectors:Array(Array(Float64))}),
            {vectors:Array(Array(Float64))}
        )) AS asked,
        asked.1 AS question,
        asked.2 AS query
) AS questions
WHERE (chunks.generation, chunks.chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
ORDER BY question, dotProduct(vector, query) DESC, document_id, chunk_index
LIMIT {k:UInt32} BY question
