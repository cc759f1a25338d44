-- Version 5 remembers how far each vector is from its codes; of older chunks that is found out afterwards, or never.
ALTER TABLE chunks ADD COLUMN IF NOT EXISTS
    error Float32 DEFAULT inf CODEC(ZSTD(1)) COMMENT 'at least the length of what rounding changed of the float32 vector; inf where nobody knows' AFTER norm
