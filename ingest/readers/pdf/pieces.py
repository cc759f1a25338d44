"""An open page in, pieces of its lines out, in the order of the file: text, box, size and direction.

A piece is what stands side by side with no more than spaces between. The text and the boxes of all characters of a page
come as arrays, and all that is done to each character or word is done to arrays: a page has thousands of them.

What a character is called in PDFium's text and what it is called alone differ:

- an index counts units of UTF-16, so that a letter beyond U+FFFF moves all that follows it;
- a hyphen at the end of a line, and then the line end itself is missing, is U+FFFE in the text and U+0002 alone;
- a glyph without a meaning is U+FFFE in the text, too, and U+0000 alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.readers.pdf.letters import (
    composed,
    from_the_left,
    goes_back,
    put_accents_behind,
    take_out_spaces_below_ligatures,
    turn_ligatures,
)
from ingest.readers.pdf.pdfium import Box, opened_characters, visible_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ingest.readers.pdf.pdfium import Characters, LaidOver

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Integers = NDArray[np.int64]

LINE_HYPHEN = "\x02"  # at the end of a piece: its line ends with a hyphen, and the word may go on in the next
_MARK, _MEANINGLESS, _LINE_FEED, _SOFT_HYPHEN = 0xFFFE, 0, 0x0A, 0xAD
_SPACES = (*range(9, 14), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
           0x3000)  # fmt: skip
_IS_SPACE = np.zeros(1 << 16, np.bool_)  # of each unit of UTF-16: to look it up takes a fraction of a search
_IS_SPACE[list(_SPACES)] = True
_WIDEST_SPACE = 1.0  # between two words of a piece, in heights of a line; more divides cells and columns
_NARROWEST_SPACE = (
    0.14  # what divides words though the file has no space there, where letters stand close to each other
)
_CLOSE = 0.06  # how close letters stand
_GLUED = 0.1  # below this a line end that PDFium saw within a line is no space: before a raised number
_LOWEST = 1.5  # points: lower letters are marks for programs, which nobody can read
_LIGATURES = {0xFB00 + number: letters for number, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))}
_LEFT_OUT = dict.fromkeys((0, 1, *range(3, 32), 127, *range(128, 160), 173, 65279, 65534, 65535))
_LEADER = re.compile(r" ?(?:\. ?){4,}")  # to a page number in a table of contents
_CLEANED = str.maketrans({**_LEFT_OUT, **_LIGATURES})


@dataclass(slots=True)
class Piece:
    """A piece of a line: its text and box, and `area`, the box in coordinates in which the text runs to the right.

    `turn` is the number of quarter turns, clockwise, that set it upright; `order` its place in the file.
    """

    text: str
    box: Box
    area: Box
    size: float
    is_bold: bool
    order: int
    turn: int

    @property
    def has_line_hyphen(self) -> bool:
        return self.text.endswith(LINE_HYPHEN)


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds them all."""
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return Box(min(lefts), min(bottoms), max(rights), max(tops))


def upright(box: Box, turn: int) -> Box:
    """The box in coordinates in which text that needs `turn` quarter turns runs to the right.

    >>> upright(Box(10, 20, 11, 50), 1)
    Box(left=20, bottom=-11, right=50, top=-10)
    """
    left, bottom, right, top = box
    if turn == 1:  # it runs upwards
        return Box(bottom, -right, top, -left)
    if turn == 2:
        return Box(-right, -top, -left, -bottom)
    return Box(-top, left, -bottom, right) if turn == 3 else box


def at_one_height(first: Box, second: Box) -> bool:
    """Whether two boxes share at least half of the lower one's height."""
    shared = min(first.top, second.top) - max(first.bottom, second.bottom)
    return shared >= 0.5 * min(first.top - first.bottom, second.top - second.bottom)


def pieces_of(page: Any) -> list[Piece]:
    """The pieces of an open page that stand in what is shown of it; of a scan's hidden text too, which was recognised."""
    with opened_characters(page) as characters:
        if characters.count == 0:
            return []
        words = _Words(characters, visible_box(page))
        return list(words.pieces()) if words.count else []


def without_notes(pieces: list[Piece], laid_over: Sequence[LaidOver]) -> tuple[list[Piece], list[list[Piece]]]:
    """The pieces of the page itself and of its forms, and those of each note that is laid over it."""
    start = len(pieces)
    if any(over.is_note for over in laid_over):
        while start and any(_is_in(pieces[start - 1], over) for over in laid_over):
            start -= 1
    body = pieces[:start]
    notes: dict[int, list[Piece]] = {number: [] for number, over in enumerate(laid_over) if over.is_note}
    for piece in pieces[start:]:
        note = next((notes[number] for number in notes if _is_in(piece, laid_over[number])), body)
        note.append(piece)
    return body, [note for note in notes.values() if note]


def _is_in(piece: Piece, over: LaidOver) -> bool:
    x, y = (piece.box.left + piece.box.right) / 2, (piece.box.bottom + piece.box.top) / 2
    return over.box.left <= x <= over.box.right and over.box.bottom <= y <= over.box.top


class _Words:
    """The words of a page as arrays: where each begins and ends, its box, and how it is turned."""

    def __init__(self, characters: Characters, shown: Box) -> None:
        self._characters = characters
        self._units = _units(characters)
        is_space = _IS_SPACE[self._units]
        self._boxes = _sound(characters.boxes(np.flatnonzero(~is_space)).astype(np.float64))
        turn_ligatures(self._units, self._boxes)
        put_accents_behind(self._units, self._boxes, is_space)
        take_out_spaces_below_ligatures(self._units, self._boxes, is_space)
        starts, ends = self._word_ends(is_space)
        # around all letters: the last one need not stand at the end, as where two directions meet in a word
        boxes = _reduced(self._boxes, starts)
        kept = _within(boxes, shown)
        self._starts, self._ends, self._words = starts[kept], ends[kept], boxes[kept]
        backward = self._boxes[self._starts, 0] > self._boxes[self._ends - 1, 0] + 0.01
        self.count = len(self._starts)
        self._turns = self._quarter_turns(backward)

    def _word_ends(self, is_space: Flags) -> tuple[Integers, Integers]:
        """Where words begin and end: at spaces, behind hyphens at line ends, and at gaps for which there is no space."""
        units = self._units
        is_divided = np.zeros(len(units), np.bool_)
        is_divided[1:] = is_space[:-1] | (units[:-1] == ord(LINE_HYPHEN)) | self._silent_gaps(is_space)
        is_start = ~is_space & is_divided
        is_start[0] = not is_space[0]
        is_end = np.ones(len(units), np.bool_)
        is_end[:-1] = is_space[1:] | is_start[1:]
        return np.flatnonzero(is_start), np.flatnonzero(~is_space & is_end) + 1

    def _silent_gaps(self, is_space: Flags) -> Flags:
        """Between which neighbours there is a gap as wide as a space, in text whose letters else stand close."""
        left, bottom, right, top = self._boxes.T
        height = np.maximum(top - bottom, 0.1)[1:]
        with np.errstate(invalid="ignore"):
            gaps = (left[1:] - right[:-1]) / height
            is_pair = ~(is_space[1:] | is_space[:-1]) & (np.abs(bottom[1:] - bottom[:-1]) < 0.3 * height)
            is_close = is_pair & (gaps < _CLOSE)
        near = np.zeros(len(gaps), np.bool_)
        near[1:] |= is_close[:-1]
        near[:-1] |= is_close[1:]
        return np.asarray(is_pair & (gaps > _NARROWEST_SPACE) & (gaps < _WIDEST_SPACE) & near)

    def _quarter_turns(self, backward: Flags) -> Integers:
        """The turns of words; only those are asked whose boxes do not show that they run to the right."""
        turns = np.zeros(self.count, np.int64)
        widths, heights = self._words[:, 2] - self._words[:, 0], self._words[:, 3] - self._words[:, 1]
        is_odd = backward | ((heights > widths) & (self._ends - self._starts > 2))
        for words in (np.flatnonzero(is_odd), np.arange(self.count)):
            for number in words.tolist():
                angle = self._characters.angle(int(self._starts[number]))
                turns[number] = round(-angle / (pi / 2)) % 4 if angle > 0 else 0
            if not turns.any():
                break
        return turns

    def pieces(self) -> Iterable[Piece]:
        """Words that follow each other in the file and on the page, as one."""
        areas = _upright(self._words, self._turns)
        breaks, is_glued = self._breaks(areas)
        starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
        ends = np.append(starts[1:], self.count)
        boxes, united = _reduced(self._words, starts).round(2).tolist(), _reduced(areas, starts).tolist()
        firsts, lasts = self._starts[starts].tolist(), self._ends[ends - 1].tolist()
        is_odd = is_glued | self._is_not_one_space()
        is_odd[starts] = False  # what stands before a piece is no part of it
        has_gaps = (np.add.reduceat(is_odd, starts) > 0).tolist()
        disordered = self._disordered(starts)
        bounds = zip(starts.tolist(), ends.tolist(), firsts, lasts, strict=True)
        joined = _string(self._units)
        for order, (start, end, first, last) in enumerate(bounds):
            text = joined[first:last] if not has_gaps[order] else self._text(joined, start, end, is_glued)
            if order in disordered:
                words = zip(self._starts[start:end].tolist(), self._ends[start:end].tolist(), strict=True)
                text = from_the_left(joined, words, self._boxes) or text
            text = _cleaned(text)
            if text:
                size, is_bold = self._style(first, last, united[order])
                yield Piece(
                    text, Box(*boxes[order]), Box(*united[order]), size, is_bold, order, int(self._turns[start])
                )

    def _breaks(self, areas: Floats) -> tuple[Flags, Flags]:
        """After which words a piece ends, and before which there is no space though a line ended for PDFium."""
        left, bottom, right, top = areas.T
        heights = top - bottom
        shared = np.minimum(top[1:], top[:-1]) - np.maximum(bottom[1:], bottom[:-1])
        gaps = np.maximum(left[1:] - right[:-1], left[:-1] - right[1:])
        larger = np.maximum(heights[1:], heights[:-1])
        breaks = (
            (shared < 0.5 * np.minimum(heights[1:], heights[:-1]))
            | (gaps > _WIDEST_SPACE * np.maximum(larger, 1))
            | (self._turns[1:] != self._turns[:-1])
            | (self._units[self._ends[:-1] - 1] == ord(LINE_HYPHEN))
        )
        is_glued = np.zeros(self.count, np.bool_)
        before = self._units[np.maximum(self._starts[1:] - 1, 0)]
        is_glued[1:] = ~breaks & (before == _LINE_FEED) & (gaps < _GLUED * heights[1:])
        return breaks, is_glued

    def _disordered(self, starts: Integers) -> set[int]:
        """The pieces, by the words they start with, in which upright letters go back."""
        back = np.flatnonzero(goes_back(self._boxes))
        words = np.searchsorted(self._starts, back, "right") - 1
        is_within = (words >= 0) & (back < self._ends[words]) & (self._turns[words] == 0)
        pieces = np.searchsorted(starts, words, "right") - 1
        is_within &= back != self._starts[starts[pieces]]
        return set(pieces[is_within].tolist())

    def _is_not_one_space(self) -> Flags:
        """Before which words there is anything else than a single space."""
        differs = np.zeros(self.count, np.bool_)
        gap_starts = self._ends[:-1]
        differs[1:] = (self._starts[1:] != gap_starts + 1) | (self._units[gap_starts] != ord(" "))
        return differs

    def _text(self, joined: str, start: int, end: int, is_glued: Flags) -> str:
        words = zip(
            self._starts[start:end].tolist(), self._ends[start:end].tolist(), is_glued[start:end].tolist(), strict=True
        )
        return "".join(("" if glued else " ") + joined[first:last] for first, last, glued in words).strip(" ")

    def _style(self, first: int, last: int, area: list[float]) -> tuple[float, bool]:
        """The size in the middle of three letters' sizes, and whether both ends are bold."""
        characters = self._characters
        size, other = characters.size(first), characters.size(last - 1)
        if size != other:
            size = sorted((size, other, characters.size((first + last) // 2)))[1]
        return size or area[3] - area[1], characters.is_bold(first) and characters.is_bold(last - 1)


def _units(characters: Characters) -> NDArray[np.uint16]:
    """The characters of a page, each at its own index, halves of a pair as they are."""
    units = characters.units()
    if len(units) != characters.count:
        return np.array([characters.code(index) & 0xFFFF for index in range(characters.count)], np.uint16)
    for index in np.flatnonzero(units == _MARK).tolist():
        units[index] = characters.code(index)
    at_line_ends = np.flatnonzero(units[:-1] == _SOFT_HYPHEN)
    units[at_line_ends[_IS_SPACE[units[at_line_ends + 1]]]] = ord(LINE_HYPHEN)
    return units


def _string(units: NDArray[np.uint16]) -> str:
    """A string in which each unit is a character at its own index."""
    return units.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _cleaned(text: str) -> str:
    """With ligatures as letters and pairs as characters, without controls, and with three dots where a row of them leads."""
    if "...." in text or ". . . ." in text:
        text = _LEADER.sub(" ... ", text)
    if text.isascii() and text.isprintable():
        return text
    text = composed(text.translate(_CLEANED))
    if not text.isprintable():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _sound(boxes: Floats) -> Floats:
    """The boxes, without those of characters that stand nowhere."""
    boxes[(boxes[:, 2:] <= boxes[:, :2]).all(axis=1)] = np.nan
    return boxes


def _within(boxes: Floats, shown: Box) -> Flags:
    """Which boxes are sound, can be read, and have their middle in what is shown of the page."""
    with np.errstate(invalid="ignore"):
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        is_sound = np.isfinite(boxes).all(axis=1) & (sides >= 0) & (longer > 0)
        is_legible = (boxes[:, 3] - boxes[:, 1] >= _LOWEST) | (longer > 4 * _LOWEST) & (sides > _LOWEST)
        is_shown = (shown.left <= x) & (x <= shown.right) & (shown.bottom <= y) & (y <= shown.top)
    return np.asarray(is_sound & is_legible & is_shown)


def _upright(boxes: Floats, turns: Integers) -> Floats:
    """What `upright` does, for many."""
    if not turns.any():
        return boxes
    areas = boxes.copy()
    for turn, order, signs in (
        (1, [1, 2, 3, 0], [1, -1, 1, -1]),
        (2, [2, 3, 0, 1], [-1] * 4),
        (3, [3, 0, 1, 2], [-1, 1] * 2),
    ):
        chosen = turns == turn
        areas[chosen] = boxes[chosen][:, order] * signs
    return areas


def _reduced(boxes: Floats, starts: Integers) -> Floats:
    """The box around each run of boxes, of which those that are NaN have no part in it."""
    return np.concatenate(
        (np.fmin.reduceat(boxes[:, :2], starts, axis=0), np.fmax.reduceat(boxes[:, 2:], starts, axis=0)), axis=1
    )
