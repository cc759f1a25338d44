-- Where the numbers of the newest cells begin and end, how many rows have such a number, and how many have not.
SELECT
    (SELECT max(first_cell) FROM cells) AS first_cell,
    (SELECT max(last_cell) FROM cells) AS last_cell,
    (SELECT count() FROM chunks WHERE cell BETWEEN (SELECT max(first_cell) FROM cells) AND (SELECT max(last_cell) FROM cells)) AS assigned,
    (SELECT count() FROM chunks) AS row_count
