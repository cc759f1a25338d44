-- Rows of the vector table, dead generations included: the engine knows it without reading.
SELECT count() AS row_count FROM chunks
