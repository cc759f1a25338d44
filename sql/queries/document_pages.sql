-- The pages of a document that have text, in order.
SELECT generation, char_start, char_end, toString(kind) AS kind, page, page_label
FROM places
WHERE generation = {generation:UInt64} AND kind IN ('page', 'slide')
ORDER BY char_start
