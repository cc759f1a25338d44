-- The highest published epoch; a reader fixes it first and searches at it in a second statement.
SELECT max(epoch) AS epoch FROM manifest
