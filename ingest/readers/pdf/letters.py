"""Letters that a file wrote in another order than that in which they stand, or an accent apart from its letter, mended.

A raised number may be written before the letter that it follows, and a line that is drawn twice comes in parts of both.
TeX draws an accent and a letter over each other, which the file calls two characters, in this order or in the other. Where
a glyph means several letters of a script that is read from the right, PDFium gives them in the wrong order.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Boxes = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Units = NDArray[np.uint16]

LEFTWARD = re.compile(r"[\u0590-\u08ff\ufb1d-\ufefc]")  # Hebrew, Arabic and the like
_LEFTWARD = 0x0590, 0x08FF
_BACK = 0.1  # heights of a letter that the next one has to stand back to be out of order
_MOST_BACK = 0.3  # of the letters of a piece: where more go back, it is mirrored or runs to the left
_LARGER = 1.2  # times as high
_REACH = 40  # characters in the file between an accent and its letter
_ASIDE = 0.25  # widths of a letter that the middle of its accent may stand beside it
_NEAR = 0.4  # widths between the middles of two letters: those that are closer lie upon each other
_WORD_GAP = 0.14  # heights between two letters of two words, where the file does not have one behind the other
_LATIN_LIGATURES = 0xFB00, 0xFB06
_TOUCHES = 0.05  # heights between a ligature and the letter behind it: a space is at least twice as wide
_LOW_SURROGATES = range(0xDC00, 0xE000)
# Accents that are characters of their own, and the marks that go with the letter before.
_MARKS = {
    ord(accent): ord(mark)
    for accent, mark in zip("`¨¯´¸ˆˇ˘˙˚˛˜˝", "\u0300\u0308\u0304\u0301\u0327\u0302\u030c\u0306\u0307\u030a\u0328\u0303\u030b",
                            strict=True)
}  # fmt: skip
_IS_ACCENT = np.zeros(1 << 16, np.bool_)  # of each unit of UTF-16
_IS_ACCENT[list(_MARKS)] = True
_ACCENTED = re.compile(r"([^\W\d_])([\u0300-\u0328]+)")
_WITH_A_DOT = str.maketrans("ıȷ", "ij")  # whose dots are taken off to bear an accent


# Accents


def put_accents_behind(units: Units, boxes: Boxes, is_space: Flags) -> None:
    """Makes each accent that lies over a letter a mark behind that letter, in place; a space that it made goes."""
    accents = np.flatnonzero(_IS_ACCENT[units]).tolist()
    if not accents:
        return
    places = np.arange(len(units), dtype=np.float64)
    for accent in accents:
        letter = _letter_below(units, boxes, accent)
        if letter is not None:
            places[accent] = letter + 0.5
            _close(units, boxes, is_space, accent)
    for accent in np.flatnonzero(places % 1).tolist():
        units[accent], boxes[accent] = _MARKS[int(units[accent])], boxes[int(places[accent])]
    order = np.argsort(places, kind="stable")
    for each in (units, boxes, is_space):
        each[:] = each[order]


def composed(text: str) -> str:
    """With letters and the marks behind them as one character, where there is one.

    >>> composed("nai\\u0308ve")
    'naïve'
    """
    return _ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[1].translate(_WITH_A_DOT) + found[2]), text)


def _letter_below(units: Units, boxes: Boxes, accent: int) -> int | None:
    """Which letter an accent lies over: of those near it in the file the one whose middle is nearest."""
    first, last = max(accent - _REACH, 0), accent + _REACH
    near = boxes[first:last]
    left, bottom, right, top = near.T
    distances = np.abs((left + right) / 2 - _middle(boxes[accent]))
    with np.errstate(invalid="ignore"):
        lies_over = distances <= (0.5 + _ASIDE) * (right - left)
        lies_over &= np.minimum(top, boxes[accent][3]) > np.maximum(bottom, boxes[accent][1])
    candidates = [index for index in np.flatnonzero(lies_over).tolist() if chr(int(units[first + index])).isalpha()]
    return first + min(candidates, key=lambda index: float(distances[index])) if candidates else None


def _close(units: Units, boxes: Boxes, is_space: Flags, accent: int) -> None:
    """Takes away spaces about an accent, unless there is a gap without it."""
    first, last = accent, accent + 1
    while first > 0 and is_space[first - 1]:
        first -= 1
    while last < len(units) and is_space[last]:
        last += 1
    if first == 0 or last == len(units):
        return
    before, after = boxes[first - 1], boxes[last]
    height = before[3] - before[1]
    if abs(after[0] - before[2]) < _WORD_GAP * height and abs(after[1] - before[1]) < height:
        for spaces in (slice(first, accent), slice(accent + 1, last)):
            units[spaces], is_space[spaces] = 0, False


def _middle(box: Boxes) -> float:
    return float(box[0] + box[2]) / 2


# Spaces below ligatures


def take_out_spaces_below_ligatures(units: Units, boxes: Boxes, is_space: Flags) -> None:
    """Takes away, in place, a space behind a ligature where the next letter follows the ligature without a gap.

    Programs for print have put a glyph for two letters over the first, and left a space in the place of the second.
    """
    is_one_glyph = np.zeros(len(units), np.bool_)
    is_one_glyph[1:] = (boxes[1:] == boxes[:-1]).all(axis=1)
    is_one_glyph |= (units >= _LATIN_LIGATURES[0]) & (units <= _LATIN_LIGATURES[1])
    spaces = np.flatnonzero(is_one_glyph[:-2] & is_space[1:-1] & ~is_space[2:]) + 1
    before, after = boxes[spaces - 1], boxes[spaces + 1]
    height = before[:, 3] - before[:, 1]
    with np.errstate(invalid="ignore"):
        touches = np.abs(after[:, 0] - before[:, 2]) < _TOUCHES * height
        touches &= np.abs(after[:, 1] - before[:, 1]) < height
    for space in spaces[touches].tolist():
        if chr(int(units[space - 1])).isalpha() and chr(int(units[space + 1])).isalpha():
            units[space], is_space[space] = 0, False


# Ligatures of scripts that are read from the right


def turn_ligatures(units: Units, boxes: Boxes) -> None:
    """Puts the letters of each such ligature in the order in which they are read, in place.

    PDFium turns a run of these letters round one by one, those of a ligature that the file gives as several characters
    (lam and alef) too; those of a ligature that Unicode has as one character (U+FEFB) it gives as they are read.
    """
    is_leftward = (units >= _LEFTWARD[0]) & (units <= _LEFTWARD[1])
    if not is_leftward.any():
        return
    is_same = (boxes[1:] == boxes[:-1]).all(axis=1) & is_leftward[1:] & is_leftward[:-1]
    changes = np.flatnonzero(np.diff(np.concatenate(([False], is_same, [False])).astype(np.int8)))
    runs = [(first, last + 1) for first, last in changes.reshape(-1, 2).tolist()]
    names = [units[first:last].astype("<u2").tobytes().decode("utf-16-le", "surrogatepass") for first, last in runs]
    is_turned = any(name not in _ligatures() for name in names)
    for (first, last), name in zip(runs, names, strict=True):
        if name not in _ligatures() or (is_turned and name[::-1] in _ligatures()):
            units[first:last] = units[first:last][::-1].copy()


@cache
def _ligatures() -> frozenset[str]:
    """The letters of each ligature that is a character, as they are read."""
    forms = (unicodedata.normalize("NFKC", chr(code)) for code in (*range(0xFB1D, 0xFE00), *range(0xFE70, 0xFEFD)))
    return frozenset(form for form in forms if len(form) > 1)


# Order


class _Letter(NamedTuple):
    """A letter with its marks: its units from `start` to `end`, the word it is in, and where it stands."""

    start: int
    end: int
    word: int
    left: float
    right: float
    height: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def goes_back(boxes: Boxes) -> Flags:
    """Which characters stand to the left of the one before; spaces, whose boxes are NaN, stand nowhere."""
    flags = np.zeros(len(boxes), np.bool_)
    placed = np.flatnonzero(~np.isnan(boxes[:, 0]))
    middles, heights = (boxes[placed, 0] + boxes[placed, 2]) / 2, boxes[placed, 3] - boxes[placed, 1]
    flags[placed[1:]] = middles[1:] < middles[:-1] - _BACK * heights[1:]
    return flags


def from_the_left(text: str, words: Iterable[tuple[int, int]], boxes: Boxes) -> str | None:
    """What stands in these words, from left to right; None where that cannot be what is meant.

    `text` has a character for each of `boxes`. Words stay divided; between letters that are neighbours in no word, a gap
    divides words. It is not meant where letters lie upon each other, where text is mirrored or read from the right, and
    where a row of small letters would be divided by a larger one, which then stands below them.
    """
    letters = [letter for number, word in enumerate(words) for letter in _letters(text, *word, number, boxes)]
    order = sorted(range(len(letters)), key=lambda number: letters[number].middle)
    rank = {number: place for place, number in enumerate(order)}
    steps_back = sum(rank[number + 1] < rank[number] for number in range(len(letters) - 1))
    if steps_back > max(1, _MOST_BACK * len(letters)):
        return None
    parts = [text[letters[order[0]].start : letters[order[0]].end]]
    for number, following in pairwise(order):
        one, other = letters[number], letters[following]
        if other.middle - one.middle < _NEAR * min(one.right - one.left, other.right - other.left):
            return None
        is_neighbour = following == number + 1
        divides = not is_neighbour and rank.get(number + 1, -1) > rank[following]
        if divides and other.height > _LARGER * one.height:
            return None
        is_divided = other.word != one.word if is_neighbour else _are_apart(one, other)
        parts.append(" " * is_divided + text[other.start : other.end])
    joined = "".join(parts)
    return None if LEFTWARD.search(joined) else joined


def _are_apart(one: _Letter, other: _Letter) -> bool:
    return other.left - one.right > _WORD_GAP * max(one.height, other.height)


def _letters(text: str, start: int, end: int, word: int, boxes: Boxes) -> Iterable[_Letter]:
    """The letters of a word; what has no place or no width goes with the letter before."""
    bounds = [index for index in range(start, end) if index == start or _stands_alone(text[index], boxes[index])]
    for first, after in pairwise([*bounds, end]):
        left, bottom, right, top = boxes[first].tolist()
        yield _Letter(first, after, word, left, right, top - bottom)


def _stands_alone(character: str, box: Boxes) -> bool:
    return ord(character) not in _LOW_SURROGATES and not unicodedata.combining(character) and bool(box[2] > box[0])
