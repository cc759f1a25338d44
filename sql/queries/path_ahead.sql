-- The key of the path that lies so many rows of the manifest behind another one; none where there are fewer.
SELECT replaceAll(path, '#', '\x01') AS path_key
FROM manifest
WHERE epoch <= {epoch:UInt64} AND replaceAll(path, '#', '\x01') > {after:String}
ORDER BY path_key
LIMIT 1 OFFSET {rows:UInt64}
