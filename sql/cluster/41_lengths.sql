-- The table lengths over all shards.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS lengths
ENGINE = Distributed({cluster:String}, {local:String}, lengths, generation % 256)
