"""The numbers of generations: an epoch in, the lowest number of what is begun after it out."""

from __future__ import annotations

GENERATION_RANDOM_BITS = 40


def first_generation(epoch: int) -> int:
    """The lowest number of a generation that is begun when this epoch is the latest; all begun before have lower ones."""
    return (epoch + 1) << GENERATION_RANDOM_BITS
