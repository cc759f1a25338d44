"""Sums as ClickHouse has them, so that a sum made here can be compared with one made there."""

MASK_64 = 2**64 - 1  # what is left of a sum of UInt64
