-- Gives memory that the engine has freed and keeps for later back to the system.
SYSTEM JEMALLOC PURGE
