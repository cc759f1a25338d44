-- The documents at an epoch whose paths lie between two, without the first one and with the last, if there is one. A `#` is
-- taken for the lowest character, so that what is called `path#part` follows `path`: see sql.records.path_key. A document has
-- one path for ever, so that its rows can be chosen before they are put together.
SELECT
    document_id,
    argMax(manifest.generation, manifest.epoch) AS generation,
    argMax(manifest.path, manifest.epoch) AS path,
    argMax(manifest.source, manifest.epoch) AS source,
    argMax(manifest.title, manifest.epoch) AS title,
    argMax(manifest.format, manifest.epoch) AS format,
    argMax(manifest.content_sha256, manifest.epoch) AS content_sha256,
    argMax(manifest.content_bytes, manifest.epoch) AS content_bytes,
    argMax(manifest.chunker, manifest.epoch) AS chunker,
    argMax(manifest.chunk_count, manifest.epoch) AS chunk_count,
    argMax(manifest.row_hash_sum, manifest.epoch) AS row_hash_sum
FROM manifest
WHERE manifest.epoch <= {epoch:UInt64}
    AND replaceAll(manifest.path, '#', '\x01') > {after:String}
    AND ({upto:String} = '' OR replaceAll(manifest.path, '#', '\x01') <= {upto:String})
GROUP BY document_id
HAVING argMax(manifest.kind, manifest.epoch) = 'publish'
ORDER BY replaceAll(path, '#', '\x01')
