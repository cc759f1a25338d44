-- The nodes of a cluster, first the first shard.
SELECT host_name AS host
FROM system.clusters
WHERE cluster = {cluster:String}
ORDER BY shard_num, replica_num
