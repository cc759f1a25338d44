-- What is shown of the chunks at some places: the n-th generation and the n-th index are one of them.
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
WHERE (generation, chunk_index) IN arrayZip({generations:Array(UInt64)}, {indexes:Array(UInt32)})
