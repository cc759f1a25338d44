-- Copies the lengths of generations under new numbers.
INSERT INTO lengths
SELECT transform(lengths.generation, {old:Array(UInt64)}, {new:Array(UInt64)}), * EXCEPT (generation)
FROM lengths
WHERE lengths.generation IN {old:Array(UInt64)}
