-- Which generations were published between two epochs, and at which one each.
SELECT generation, epoch
FROM manifest
WHERE kind = 'publish' AND epoch > {after:UInt64} AND epoch <= {epoch:UInt64}
ORDER BY generation
LIMIT {limit:UInt32}
