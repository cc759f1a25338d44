-- In which cell each chunk lies, of all generations from a number on: drafts and old versions too.
SELECT generation, chunk_index, cell
FROM chunks
WHERE generation >= {first:UInt64}
