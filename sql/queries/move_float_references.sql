-- Copies the float vectors that were kept beside generations of chunks under new numbers.
INSERT INTO float_references
SELECT transform(float_references.generation, {old:Array(UInt64)}, {new:Array(UInt64)}), * EXCEPT (generation)
FROM float_references
WHERE float_references.generation IN {old:Array(UInt64)}
