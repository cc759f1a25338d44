-- A length is not negative, and NaN is none.
ALTER TABLE chunks ADD CONSTRAINT IF NOT EXISTS error_is_length CHECK error >= 0
