-- The table postings over all shards.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS postings
ENGINE = Distributed({cluster:String}, {local:String}, postings, generation % 256)
