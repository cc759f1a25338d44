-- What the store was made with, on the first shard.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS collection
ENGINE = Distributed({cluster:String}, {local:String}, collection, 0)
