-- Stops what one reader in another process is running.
KILL QUERY WHERE Settings['log_comment'] = {reader:String} ASYNC
