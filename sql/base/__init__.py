"""The ground everything stands on: errors with their exit codes, the settings, and the terminal."""
