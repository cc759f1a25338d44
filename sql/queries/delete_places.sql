-- Garbage collection: where their texts stand.
DELETE FROM places WHERE generation IN {generations:Array(UInt64)}
