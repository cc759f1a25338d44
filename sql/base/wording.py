"""A number and what it counts in, words for a sentence out."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with the noun that it counts, which adds an `s` in the plural.

    >>> counted(1, "file"), counted(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
