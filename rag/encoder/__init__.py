"""Texts in, vectors out: an int8 DistilBERT, how it is made of float weights, and the arithmetic it runs on."""
