-- The table float_references over all shards.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS float_references
ENGINE = Distributed({cluster:String}, {local:String}, float_references, generation % 256)
