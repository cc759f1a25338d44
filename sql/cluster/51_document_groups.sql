-- Who may read which document, over all shards: beside its chunks, where row policies look it up.
-- The columns are those of the table of this name in the local database on each node.
CREATE TABLE IF NOT EXISTS document_groups
ENGINE = Distributed({cluster:String}, {local:String}, document_groups, generation % 256)
