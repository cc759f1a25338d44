-- The rectangles to be marked for a span of a document's text, at an epoch:
-- SELECT * FROM highlights(epoch = 7, source = 'report.pdf', start = 1200, end = 1280) ORDER BY char_start.
CREATE OR REPLACE VIEW highlights AS
SELECT document_id, page, left, bottom, right, top, char_start, char_end
FROM places
WHERE generation IN
(
    SELECT argMax(manifest.generation, manifest.epoch)
    FROM manifest
    WHERE manifest.epoch <= {epoch:UInt64}
    GROUP BY document_id
    HAVING argMax(manifest.kind, manifest.epoch) = 'publish' AND argMax(manifest.source, manifest.epoch) = {source:String}
)
    AND kind = 'rectangle'
    AND char_start < {end:UInt64}
    AND char_end > {start:UInt64}
