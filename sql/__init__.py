"""The vector table: its SQL, the one door to the database driver, and the store that publishes documents."""
