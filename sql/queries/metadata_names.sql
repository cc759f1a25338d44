-- The names that the metadata of visible chunks has, and of what types their values are.
SELECT
    pair.1 AS name,
    groupUniqArray(multiIf(
        startsWith(pair.2, '"'), 'text', startsWith(pair.2, '['), 'list', pair.2 IN ('true', 'false'), 'truth',
        pair.2 = 'null', 'null', 'number'
    )) AS types
FROM
(
    SELECT arrayJoin(JSONExtractKeysAndValuesRaw(metadata)) AS pair
    FROM chunks
    WHERE metadata != '{}' AND generation IN
    (
        SELECT argMax(manifest.generation, manifest.epoch)
        FROM manifest
        WHERE manifest.epoch <= {epoch:UInt64}
        GROUP BY document_id
        HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
    )
)
GROUP BY name
ORDER BY name
LIMIT 1000
