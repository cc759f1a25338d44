"""What the commands of `python -m rag` do; the command line itself is in `rag/__main__.py`."""
