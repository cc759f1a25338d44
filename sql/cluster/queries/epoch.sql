-- The highest epoch whose manifest rows are on every shard.
SELECT max(epoch) AS epoch FROM commits
