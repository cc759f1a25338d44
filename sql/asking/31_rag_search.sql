-- SELECT * FROM rag_search(question = '...', k = 5): a row for each hit, the best first. See rag_answer.
-- Where a UInt16 is read, 65537 would wrap around to 1.
CREATE OR REPLACE VIEW rag_search AS
SELECT
    hit.source AS source,
    hit.start AS start,
    hit.end AS end,
    hit.line AS line,
    hit.page AS page,
    hit.text AS text,
    hit.score AS score,
    toUUID(hit.document_id) AS document_id,
    hit.chunk_index AS chunk_index
FROM
(
    SELECT dictGet('rag_hits', ('hits', 'error'), (materialize({question:String}), toUInt16(least({k:UInt64}, 65535)), '')) AS found
)
ARRAY JOIN found.hits AS hit
WHERE CAST(found.error, 'Enum8(\'\' = 0)') = ''
