-- The epochs that readers may read at, on the first shard.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS commits
ENGINE = Distributed({cluster:String}, {local:String}, commits, 0)
