-- Stops whatever else this engine is running; an embedded engine runs the statements of one process only.
KILL QUERY WHERE query NOT LIKE '%KILL QUERY%' SYNC
