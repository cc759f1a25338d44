-- The page on which the chunk starts, 0 where the format has none.
[toInt64(page)]
