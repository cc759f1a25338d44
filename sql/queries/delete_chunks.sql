-- Garbage collection: chunks of generations that nobody can see any more.
DELETE FROM chunks WHERE generation IN {generations:Array(UInt64)}
