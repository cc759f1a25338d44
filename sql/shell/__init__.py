"""`python -m sql`: statements in, tables of results out."""
