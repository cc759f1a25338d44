"""Word documents: styles, numbers, runs and the order in which they are read."""
