-- Keeps an embedded engine from merging parts, which would fill the disk of one that only reads.
SYSTEM STOP MERGES
