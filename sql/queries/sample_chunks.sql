-- Some visible chunks with their vectors, the same ones for the same content of the table.
SELECT
    generation, chunk_index, heading, char_start, char_end, line, page, place_name, tokens, text, outline, codes, scale,
    zero_point
FROM chunks
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
ORDER BY cityHash64(row_hash, chunk_index), generation, chunk_index
LIMIT {rows:UInt32}
