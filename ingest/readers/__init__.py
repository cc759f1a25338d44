"""Files in, documents out: a reader for each format."""
