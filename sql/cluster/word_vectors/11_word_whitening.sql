-- What is done to them, on the first shard.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS word_whitening
ENGINE = Distributed({cluster:String}, {local:String}, word_whitening, 0)
