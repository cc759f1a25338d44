-- One row an epoch, written after the manifest rows of that epoch have arrived on every shard: an insert into several
-- shards is not one step, and this is.
CREATE TABLE IF NOT EXISTS commits
(
    epoch UInt64,
    written_at DateTime64(3) DEFAULT now64(3) COMMENT 'for people; nothing is decided by it'
)
ENGINE = MergeTree
ORDER BY epoch
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
