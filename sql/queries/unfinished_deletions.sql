-- What the embedded engine has still to delete: the tables, and how much of them is waiting and how much at work.
SELECT
    groupUniqArray(table) AS tables,
    count() AS deletions,
    sum(parts_to_do) AS parts,
    sum(length(parts_in_progress_names)) AS parts_at_work,
    anyIf(latest_fail_reason, latest_fail_reason != '') AS reason
FROM system.mutations
WHERE database = currentDatabase() AND NOT is_done
