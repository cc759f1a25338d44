-- Generations that a newer version or a deletion replaced more than a grace period ago, by the clock of the server.
-- Drafts of runs that are still at work are newer than what is published of their document, and are never among them.
SELECT DISTINCT stored.generation AS generation
FROM
(
    SELECT document_id, generation FROM chunks
    UNION ALL SELECT document_id, generation FROM texts
    UNION ALL SELECT document_id, generation FROM places
) AS stored
INNER JOIN
(
    SELECT
        document_id,
        argMax(manifest.generation, manifest.epoch) AS current,
        argMax(manifest.kind, manifest.epoch) = 'delete' AS deleted
    FROM manifest
    WHERE manifest.written_at <= now64(3) - toIntervalMillisecond({grace_milliseconds:UInt64})
    GROUP BY document_id
) AS settled ON stored.document_id = settled.document_id
WHERE stored.generation < settled.current OR (stored.generation = settled.current AND settled.deleted)
ORDER BY generation
