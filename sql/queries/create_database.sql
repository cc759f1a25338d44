-- The database of a new store on a server.
CREATE DATABASE IF NOT EXISTS {database:Identifier}
