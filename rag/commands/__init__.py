"""What the commands of `python -m rag` do; the command line itself is in `rag/commands/command_line.py`."""
