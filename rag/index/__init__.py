"""Documents cut into chunks in, rows of a store out: the words and the codes that chunks are found by."""
