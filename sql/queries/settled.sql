-- What a connection that has nothing left of an earlier result answers in one line.
SELECT 1 AS settled
