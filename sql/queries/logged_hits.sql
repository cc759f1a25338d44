-- The hits of a logged query in order, by their places, and with what was cited of it: one row.
SELECT
    hits.source AS hit_sources, hits.char_start AS hit_starts, hits.char_end AS hit_ends, hits.score AS hit_scores,
    citations.source AS citation_sources, citations.char_start AS citation_starts, citations.char_end AS citation_ends,
    citations.text AS citation_texts
FROM queries
WHERE query_id = {query_id:UUID}
LIMIT 1
