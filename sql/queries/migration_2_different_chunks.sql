-- Visible generations whose chunks differ between both versions of the table in anything that both have, or in number.
SELECT generation
FROM
(
    SELECT generation, 1 AS side, cityHash64(chunk_index, document_id, source, title, heading, char_start, char_end,
        line, page, tokens, text, codes, scale, zero_point, norm) AS digest
    FROM chunks
    UNION ALL
    SELECT generation, -1 AS side, cityHash64(chunk_index, document_id, source, title, heading, char_start, char_end,
        line, page, tokens, text, codes, scale, zero_point, norm) AS digest
    FROM chunks_2
)
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
GROUP BY generation
HAVING sum(side) != 0 OR sum(if(side = 1, digest, 0)) != sum(if(side = -1, digest, 0))
ORDER BY generation
