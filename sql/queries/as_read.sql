-- One statement as the engine reads it: its words in order on one line, without comments. Several are an error.
SELECT formatQuerySingleLine({statement:String}) AS statement
