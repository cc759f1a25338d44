-- The questions that were asked, on the first shard.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS queries
ENGINE = Distributed({cluster:String}, {local:String}, queries, 0)
