-- The chunks over all shards: those of one document lie on one shard, whichever node they are sent to.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS chunks
ENGINE = Distributed({cluster:String}, {local:String}, chunks, generation % 256)
