-- Stops whatever else this process is running in its engine; what readers in other processes wait for goes on.
KILL QUERY WHERE query NOT LIKE '%KILL QUERY%' AND Settings['log_comment'] NOT LIKE 'reader %' SYNC
