-- How many queries are logged, and how old the oldest is by the clock of the database: one row.
SELECT
    count() AS queries,
    toUnixTimestamp64Milli(now64(3)) AS now_milliseconds,
    toUnixTimestamp64Milli(min(asked_at)) AS oldest_milliseconds
FROM queries
