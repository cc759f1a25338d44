-- How many chunks of each generation have been copied.
SELECT generation, count() AS chunk_count FROM chunks_2 GROUP BY generation ORDER BY generation
