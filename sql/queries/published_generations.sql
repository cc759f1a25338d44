-- Which generations have a manifest row at an epoch, of a publication or of a deletion.
SELECT DISTINCT generation
FROM manifest
WHERE epoch = {epoch:UInt64} AND generation IN {generations:Array(UInt64)}
ORDER BY generation
