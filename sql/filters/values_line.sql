-- The line on which the chunk starts.
[toInt64(line)]
