-- Garbage collection: the lengths of generations that nobody can see any more, when their postings are gone.
DELETE FROM lengths WHERE generation IN {generations:Array(UInt64)}
