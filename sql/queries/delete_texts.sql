-- Garbage collection: their extracted texts.
DELETE FROM texts WHERE generation IN {generations:Array(UInt64)}
