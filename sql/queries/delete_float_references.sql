-- Garbage collection: float vectors of generations that nobody can see any more.
DELETE FROM float_references WHERE generation IN {generations:Array(UInt64)}
