"""A request in, the statements that find its chunks out."""
