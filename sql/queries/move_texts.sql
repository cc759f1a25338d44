-- Copies the extracted texts of generations under new numbers.
INSERT INTO texts
SELECT transform(texts.generation, {old:Array(UInt64)}, {new:Array(UInt64)}), * EXCEPT (generation)
FROM texts
WHERE texts.generation IN {old:Array(UInt64)}
