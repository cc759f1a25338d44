-- The manifest over all shards: a document's rows lie beside its chunks.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS manifest
ENGINE = Distributed({cluster:String}, {local:String}, manifest, generation % 256)
