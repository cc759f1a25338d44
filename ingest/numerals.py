"""Numbers in, what lists, pages and columns write for them out: letters and Roman numerals."""

from __future__ import annotations

from sql.records.places import letters

__all__ = ["FIRST_WITHOUT_ROMAN", "letters", "roman"]

FIRST_WITHOUT_ROMAN = 4000
_ROMAN_NUMERALS = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)


def roman(number: int) -> str:
    """A number from 1 to 3999 in small Roman numerals.

    >>> [roman(number) for number in (4, 1990, 3999)]
    ['iv', 'mcmxc', 'mmmcmxcix']
    """
    written = ""
    for value, numeral in _ROMAN_NUMERALS:
        count, number = divmod(number, value)
        written += numeral * count
    return written
