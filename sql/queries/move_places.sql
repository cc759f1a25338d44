-- Copies the places of generations under new numbers.
INSERT INTO places
SELECT transform(places.generation, {old:Array(UInt64)}, {new:Array(UInt64)}), * EXCEPT (generation)
FROM places
WHERE places.generation IN {old:Array(UInt64)}
