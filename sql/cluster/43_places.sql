-- The places over all shards, beside the chunks.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS places
ENGINE = Distributed({cluster:String}, {local:String}, places, generation % 256)
