-- The highest epoch whose manifest rows are on every shard, and what a user may read of the manifest.
SELECT (SELECT max(epoch) FROM commits) AS epoch, count() AS row_count, sum(generation) AS generation_sum
FROM manifest
