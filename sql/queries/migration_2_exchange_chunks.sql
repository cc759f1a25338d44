-- Puts the verified chunks of version 2 in the place of those of version 1, which are kept as chunks_2 until the end.
EXCHANGE TABLES chunks AND chunks_2
