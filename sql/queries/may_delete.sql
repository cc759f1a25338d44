-- 1 for a user who may collect garbage.
CHECK GRANT ALTER DELETE ON chunks
