"""Numbers in, int8 codes with scale and zero-point out; the same on torch."""
