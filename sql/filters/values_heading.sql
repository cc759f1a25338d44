-- The headings above the chunk.
[heading]
