-- Who may publish: append only. Of the rows with the highest token, the one that was inserted first has the lease.
-- Blocks of one table on one server are numbered in the order in which they become visible, so two runs that take the
-- same token see the same winner.
CREATE TABLE IF NOT EXISTS lease
(
    token UInt64 COMMENT 'grows by one whenever the lease changes hands',
    holder UUID COMMENT 'one run of a writer',
    expires_at DateTime64(3) COMMENT 'by the clock of this server',
    released Bool
)
ENGINE = MergeTree
ORDER BY token
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1
