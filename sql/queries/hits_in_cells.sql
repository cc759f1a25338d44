-- hits.sql where the cells of the chunks are known too: a large table is in the order of these.
SELECT
    source,
    title,
    heading,
    char_start,
    char_end,
    line,
    page,
    place_name,
    text,
    metadata,
    document_id,
    cell,
    generation,
    chunk_index
FROM chunks
WHERE (cell, generation, chunk_index)
    IN arrayZip({cells:Array(UInt32)}, {generations:Array(UInt64)}, {indexes:Array(UInt32)})
