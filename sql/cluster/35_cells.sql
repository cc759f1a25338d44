-- The table cells over all shards.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS cells
ENGINE = Distributed({cluster:String}, {local:String}, cells, 0)
