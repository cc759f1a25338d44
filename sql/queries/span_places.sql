-- The places that hold some of the text of spans, each of which is characters starts[n] to ends[n] of the document whose
-- generation is generations[n]; every place once.
SELECT
    generation, char_start, char_end, toString(kind) AS kind, page, page_label, left, bottom, right, top, sheet,
    first_row, first_column, last_row, last_column, notebook_cell, mail_part
FROM places
WHERE generation IN {generations:Array(UInt64)}
    AND char_start < arrayMax({ends:Array(UInt64)})
    AND char_end > arrayMin({starts:Array(UInt64)})
    AND arrayExists(
        (of, begun, ended) -> generation = of AND char_start < ended AND char_end > begun,
        {generations:Array(UInt64)},
        {starts:Array(UInt64)},
        {ends:Array(UInt64)}
    )
ORDER BY generation, char_start, char_end DESC, kind
