-- Takes back what the embedded engine has still to delete; what it has deleted so far stays deleted.
KILL MUTATION WHERE database = currentDatabase() AND NOT is_done
