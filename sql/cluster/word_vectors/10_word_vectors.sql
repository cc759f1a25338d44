-- The vectors of words, on the first shard: every question needs few of them, whichever shards hold what it finds.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS word_vectors
ENGINE = Distributed({cluster:String}, {local:String}, word_vectors, 0)
