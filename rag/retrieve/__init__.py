"""A question in, the chunks that fit it best out."""
