-- How one table or view was made.
SHOW CREATE TABLE {table:Identifier}
