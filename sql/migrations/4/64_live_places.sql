-- The places of the documents at an epoch: SELECT kind, page, sheet, first_row FROM live_places(epoch = 7).
CREATE OR REPLACE VIEW live_places AS
SELECT
    generation, document_id, char_start, char_end, kind, page, page_label, left, bottom, right, top, sheet, first_row,
    first_column, last_row, last_column, notebook_cell, mail_part
FROM places
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
)
