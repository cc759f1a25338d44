-- When the query was asked that has so many newer ones; no row where there are not as many.
SELECT toUnixTimestamp64Milli(asked_at) AS asked_milliseconds
FROM queries
ORDER BY asked_at DESC, query_id
LIMIT 1 OFFSET {newer:UInt64}
