-- Garbage collection: the groups of generations.
DELETE FROM document_groups WHERE generation IN {generations:Array(UInt64)}
