-- Garbage collection: their postings.
DELETE FROM postings WHERE generation IN {generations:Array(UInt64)}
