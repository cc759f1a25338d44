-- How many chunks a filter leaves to search; with those of dead generations, so it is an upper bound.
SELECT count() AS match_count FROM chunks WHERE true /* filter */
