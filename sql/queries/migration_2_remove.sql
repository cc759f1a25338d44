-- Removes generations that a killed migration has copied in part.
DELETE FROM chunks_2 WHERE generation IN {generations:Array(UInt64)}
