-- Copies generations of chunks under new numbers and into new cells; the copies stay invisible until they are published.
-- Chunk i of the generation old[n] goes into the cell cells[offsets[n] + i + 1].
INSERT INTO chunks
SELECT
    {cells:Array(UInt32)}[transform(chunks.generation, {old:Array(UInt64)}, {offsets:Array(UInt64)}) + chunks.chunk_index + 1],
    transform(chunks.generation, {old:Array(UInt64)}, {new:Array(UInt64)}),
    * EXCEPT (cell, generation)
FROM chunks
WHERE chunks.generation IN {old:Array(UInt64)}
