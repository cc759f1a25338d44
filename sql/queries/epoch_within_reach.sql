-- The highest published epoch, and how many rows of the manifest a user may read and what their generations add up to: other
-- numbers at the same epoch say that he may read other documents than before.
SELECT max(epoch) AS epoch, count() AS row_count, sum(generation) AS generation_sum
FROM manifest
