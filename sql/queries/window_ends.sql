-- The keys of the paths of some rows of the manifest, in order, a row in `one_in` by its hash: where windows may end.
SELECT replaceAll(path, '#', '\x01') AS path_key
FROM manifest
WHERE epoch <= {epoch:UInt64} AND cityHash64(document_id, epoch) % {one_in:UInt64} = 0
ORDER BY path_key
