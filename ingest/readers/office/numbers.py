"""A number and the name of a format in, the numeral that stands before an item of a list out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.numerals import FIRST_WITHOUT_ROMAN, roman

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LETTERS = 30  # Word itself stops at 780, which is thirty letters z
_FOOTNOTE_SIGNS = "*†‡§"
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_CHINESE_DIGITS = "〇一二三四五六七八九"


def repeated_letter(number: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    """A number as Word writes it in letters: what follows z is aa, then bb.

    >>> [repeated_letter(number) for number in (1, 26, 27, 28, 53)]
    ['a', 'z', 'aa', 'bb', 'aaa']
    """
    times, place = divmod(number - 1, len(alphabet))
    return alphabet[place] * min(times + 1, _MAX_LETTERS)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _chinese(number: int) -> str:
    """Up to 99 as it is counted, 十二; beyond as digits."""
    if number > 99:
        return "".join(_CHINESE_DIGITS[int(digit)] for digit in str(number))
    tens, ones = divmod(number, 10)
    written = ("" if tens < 2 else _CHINESE_DIGITS[tens]) + ("十" if tens else "")
    return written + (_CHINESE_DIGITS[ones] if ones else "")


def _circled(number: int) -> str:
    return chr(0x2460 + number - 1) if number <= 20 else str(number)


def _full_width(number: int) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in str(number))


_FORMATS: dict[str, Callable[[int], str]] = {
    "lowerLetter": repeated_letter,
    "upperLetter": lambda number: repeated_letter(number).upper(),
    "lowerRoman": lambda number: roman(number) if number < FIRST_WITHOUT_ROMAN else str(number),
    "upperRoman": lambda number: roman(number).upper() if number < FIRST_WITHOUT_ROMAN else str(number),
    "decimalZero": "{:02d}".format,
    "ordinal": _ordinal,
    "chicago": lambda number: repeated_letter(number, _FOOTNOTE_SIGNS),
    "russianLower": lambda number: repeated_letter(number, _RUSSIAN),
    "russianUpper": lambda number: repeated_letter(number, _RUSSIAN).upper(),
    "greekLower": lambda number: repeated_letter(number, _GREEK),
    "greekUpper": lambda number: repeated_letter(number, _GREEK).upper(),
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "decimalEnclosedParen": "({})".format,
    "decimalEnclosedFullstop": "{}.".format,
    "decimalFullWidth": _full_width,
    "decimalFullWidth2": _full_width,
    "numberInDash": "- {} -".format,
    "hex": "{:X}".format,
    **dict.fromkeys(
        (
            "chineseCounting", "chineseCountingThousand", "ideographDigital", "japaneseCounting", "japaneseDigitalTenThousand",
            "taiwaneseCounting", "taiwaneseCountingThousand", "koreanDigital2",
        ),
        _chinese,
    ),
}  # fmt: skip


def numeral(number: int, style: str) -> str:
    """A number in a format of Office (ST_NumberFormat), in digits where the format is not known.

    >>> [numeral(28, style) for style in ("decimal", "lowerLetter", "upperRoman", "decimalZero", "ordinal", "none")]
    ['28', 'bb', 'XXVIII', '28', '28th', '']
    """
    if style in ("none", "bullet"):
        return ""
    return _FORMATS[style](number) if number > 0 and style in _FORMATS else str(number)
