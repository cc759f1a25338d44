-- How many chunks a reader at an epoch can see.
SELECT count() AS chunk_count FROM live_chunks(epoch = {epoch:UInt64})
