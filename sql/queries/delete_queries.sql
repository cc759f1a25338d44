-- Retention of the query log: what was asked by then is forgotten. Documents have no part in it.
DELETE FROM queries WHERE asked_at <= fromUnixTimestamp64Milli({until_milliseconds:Int64})
