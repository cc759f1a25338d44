-- Rows out of a file in the engine's own format, its columns matched by their names. INFILE takes no parameter, but a
-- literal only, so the path is put in its place; it is one of ours, without a quote or a backslash.
INSERT INTO {table:Identifier} FROM INFILE '/* path */' FORMAT Native
