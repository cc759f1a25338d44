"""What the commands of `python -m rag` do; the command line itself is in `rag/command_line.py`."""
