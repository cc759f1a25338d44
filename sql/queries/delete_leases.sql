-- Garbage collection: tokens that have been followed by others.
DELETE FROM lease WHERE token + 1 < {token:UInt64}
