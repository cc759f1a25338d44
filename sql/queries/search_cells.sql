-- The k chunks nearest to a query among those of the given cells, by exact int8 arithmetic. The cells are the first part
-- of the table's order, so the others are not read. Chunks outside the numbers first_cell..last_cell, which were
-- assigned by another version of the cells or not at all, are always searched: none is ever out of reach.
-- Known dead generations are passed over early, so that they take no place; what is published is decided for the best
-- candidates alone, and only their texts are read (lazy materialization). Of the candidates the published ones are the
-- best there are, however many others stand between them; where fewer than k are left, more candidates are asked for.
SELECT *
FROM
(
    SELECT
        source,
        title,
        heading,
        char_start,
        char_end,
        line,
        page,
        text,
        metadata,
        document_id,
        cell,
        generation,
        chunk_index,
        scale * (dotProduct({query:Array(Int16)}, codes) - zero_point * {query_sum:Int64} + {query_offset:Int64})
            * {query_scale:Float64} AS score
    FROM chunks
    WHERE (cell IN {cells:Array(UInt32)} OR cell < {first_cell:UInt32} OR cell > {last_cell:UInt32})
        AND generation NOT IN {dead:Array(UInt64)} /* filter */
    ORDER BY score DESC, document_id, chunk_index
    LIMIT {candidates:UInt32}
)
WHERE generation IN
(
    SELECT manifest.generation
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64} AND manifest.kind = 'publish'
)
ORDER BY score DESC, document_id, chunk_index
LIMIT {per_document:UInt32} BY document_id
LIMIT {k:UInt32}
