-- The k chunks nearest to a query, by exact int8 arithmetic, with no more than so many of one document.
SELECT
    source,
    title,
    heading,
    char_start,
    char_end,
    line,
    page,
    place_name,
    text,
    metadata,
    document_id,
    cell,
    generation,
    chunk_index,
    scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
        * {query_scale:Float64} AS score
FROM chunks
WHERE (cell, generation, chunk_index) IN
(
    SELECT cell, generation, chunk_index
    FROM chunks
    WHERE generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    ) /* filter */
    ORDER BY
        scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64}) DESC,
        document_id,
        chunk_index
    LIMIT {per_document:UInt32} BY document_id
    LIMIT {k:UInt32}
)
ORDER BY score DESC, document_id, chunk_index
-- Once more, for the shards of a cluster, each of which finds k; a document lies on one of them.
LIMIT {k:UInt32}
