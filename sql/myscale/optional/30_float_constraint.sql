-- A vector index needs to know that all vectors have one length.
ALTER TABLE chunks ADD CONSTRAINT vector_length CHECK length(vector) = {dimensions:UInt16}
