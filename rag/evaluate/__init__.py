"""A store or a model in, what it is worth out, measured."""
