-- The newest logged queries whose id begins like that, the newest first; '' is the beginning of each.
SELECT
    query_id, toUnixTimestamp64Milli(asked_at) AS asked_milliseconds, kind, question, request, epoch,
    length(hits.score) AS hit_count, answered, answer, confidence, milliseconds
FROM queries
WHERE startsWith(toString(query_id), {beginning:String})
ORDER BY asked_at DESC, query_id
LIMIT {limit:UInt32}
