-- The highest epoch in the manifest, whether readers may read at it or not.
SELECT max(epoch) AS epoch FROM manifest
