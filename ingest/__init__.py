"""From a folder of documents to rows of the vector table: read, chunk, embed, write."""
