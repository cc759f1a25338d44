"""A question and its chunks in, an answer with citations out."""
