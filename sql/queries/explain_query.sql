-- Why a logged query was answered as it was: a row for each hit in order, one with rank 0 where nothing was found.
-- best_citation is the highest score of a cited sentence that lies in the hit; text is '' where the chunk is no longer kept.
SELECT
    logged.rank AS rank, logged.source AS source, logged.heading AS heading, logged.char_start AS char_start,
    logged.char_end AS char_end, logged.line AS line, logged.page AS page, logged.score AS score,
    logged.vector_score AS vector_score, logged.bm25_score AS bm25_score, logged.best_citation AS best_citation,
    kept.text AS text, logged.query_id AS query_id, logged.asked_at AS asked_at, logged.kind AS kind,
    logged.question AS question, logged.request AS request, logged.epoch AS epoch, logged.answered AS answered,
    logged.answer AS answer, logged.confidence AS confidence, logged.stages AS stages,
    logged.stage_milliseconds AS stage_milliseconds, logged.milliseconds AS milliseconds
FROM
(
    SELECT
        rank, hits.source AS source, hits.heading AS heading, hits.char_start AS char_start, hits.char_end AS char_end,
        hits.line AS line, hits.page AS page, hits.score AS score, hits.vector_score AS vector_score,
        hits.bm25_score AS bm25_score, hits.generation AS generation, hits.chunk_index AS chunk_index,
        arrayFilter(
            (citation_score, citation_source, first, last) ->
                citation_source = hits.source AND first < hits.char_end AND last > hits.char_start,
            citations.score, citations.source, citations.char_start, citations.char_end
        ) AS cited,
        if(empty(cited), NULL, arrayMax(cited)) AS best_citation,
        query_id, asked_at, kind, question, request, epoch, answered, answer, confidence,
        steps.stage AS stages, steps.milliseconds AS stage_milliseconds, milliseconds
    FROM queries
    LEFT ARRAY JOIN hits, arrayEnumerate(hits.score) AS rank
    WHERE query_id = {query_id:UUID}
) AS logged
GLOBAL LEFT JOIN
(
    SELECT generation, chunk_index, text
    FROM chunks
    WHERE (generation, chunk_index) GLOBAL IN
    (
        SELECT hits.generation, hits.chunk_index FROM queries ARRAY JOIN hits WHERE query_id = {query_id:UUID}
    )
) AS kept ON kept.generation = logged.generation AND kept.chunk_index = logged.chunk_index
ORDER BY rank
