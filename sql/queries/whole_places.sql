-- The places of some generations, with all their columns but the document.
SELECT
    generation, char_start, char_end, toString(kind) AS kind, page, page_label, left, bottom, right, top, sheet,
    first_row, first_column, last_row, last_column, notebook_cell, mail_part
FROM places
WHERE generation IN {generations:Array(UInt64)}
ORDER BY generation, char_start, char_end DESC, kind
