"""The pieces of a page in, its rows in the order they are read out: columns one after the other, tables row by row.

A gutter that hardly any piece crosses divides a page
into columns, as far as what stands beside it is prose; where cells stand there, they are a row. Everything is measured
in coordinates in which most of the page's text is upright; text in another direction comes last.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ingest.readers.pdf.letters import LEFTWARD
from ingest.readers.pdf.pieces import Piece, around, at_one_height, upright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf.pdfium import Box

_MARKER_REACH = 5.0  # how far a list's mark may stand from its text
_MAX_COLUMNS_DEEP = 6
_MAX_COLUMN_PIECES = 4000  # of a page, beyond which it is a drawing and is read from the top down
# A number of up to three digits, not a year, a letter once or twice, or a Roman number, with what divides it from the text.
_NUMBERED_MARKER = re.compile(
    r"\(?(?=[^\W_])(?:[0-9]{1,3}|([^\W\d_])\1?|x{0,3}(?:ix|iv|v?i{0,3})|X{0,3}(?:IX|IV|V?I{0,3}))(?:\)|\.\)?)"
)
_MARKERS = frozenset("•●○◦▪■□–—-*·‣➢✓")


class Row:
    """What stands at one height within a column, from left to right, and the left and right end of that column.

    `is_note` says that it is laid over the page.
    """

    __slots__ = ("area", "column", "is_note", "left", "pieces", "right", "size", "text")

    def __init__(self, pieces: list[Piece], left: float, right: float, column: int) -> None:
        self.pieces, self.left, self.right, self.column, self.is_note = pieces, left, right, column, False
        self.area = around([piece.area for piece in pieces]) if len(pieces) > 1 else pieces[0].area
        self.text = " ".join([piece.text for piece in pieces])
        self.size = max(pieces, key=lambda piece: len(piece.text)).size


@dataclass
class PageLayout:
    """The rows of a page in reading order; `sheet` is what is shown of it, in the same upright coordinates."""

    page: int
    rows: list[Row]
    sheet: Box
    label: str = ""
    furniture: list[Row] = field(default_factory=list)


def page_layout(
    page: int, pieces: list[Piece], shown: Box, label: str = "", notes: Sequence[list[Piece]] = ()
) -> PageLayout:
    """The layout of a page with these pieces, of which `shown` is shown; what is laid over it, each note by itself, is last."""
    if not (pieces or notes):
        return PageLayout(page, [], shown, label)
    rows: list[Row] = []
    for number, group in enumerate((pieces, *notes)):
        for turn in _turns(group):
            found = _rows([piece for piece in group if piece.turn == turn], rows[-1].column + 1 if rows else 0)
            for row in found:
                row.is_note = number > 0
            rows += found
    return PageLayout(page, rows, upright(shown, _turns(pieces or notes[0])[0]), label)


def _turns(pieces: Sequence[Piece]) -> list[int]:
    """The turns of pieces, that of the most letters first."""
    letters: Counter[int] = Counter()
    for piece in pieces:
        letters[piece.turn] += len(piece.text)
    return sorted(letters, key=lambda turn: (-letters[turn], turn))


# Order


def _rows(pieces: list[Piece], columns_before: int) -> list[Row]:
    """The rows of pieces of one direction."""
    rows: list[Row] = []
    is_leftward = _is_leftward(pieces)
    groups = _columns(pieces, is_leftward, 0) if len(pieces) <= _MAX_COLUMN_PIECES else [pieces]
    for number, group in enumerate(groups):
        area = around(piece.area for piece in group)
        for row in _by_height(group, is_leftward):
            rows.append(Row(_with_markers(row), area.left, area.right, columns_before + number))
    return rows


def _is_leftward(pieces: list[Piece]) -> bool:
    """Whether the most letters are Hebrew, Arabic or the like, which are read from the right."""
    text = "".join([piece.text for piece in pieces[:200]])
    if text.isascii():
        return False
    return 2 * len(LEFTWARD.findall(text)) > len(text)


def _columns(pieces: list[Piece], is_leftward: bool, depth: int) -> list[list[Piece]]:
    """The pieces in groups that are read one after the other: bands from the top down, in each its columns."""
    gutter = _gutter(pieces) if depth < _MAX_COLUMNS_DEEP and len(pieces) >= 4 else None
    if gutter is None:
        return [pieces]
    groups: list[list[Piece]] = []
    undivided: list[Piece] = []
    for band in _bands(pieces, gutter):
        left = [piece for piece in band if piece.area.right <= gutter]
        right = [piece for piece in band if piece.area.left >= gutter]
        if len(left) + len(right) < len(band) or not (left and right) or not _are_columns(left, right):
            undivided += band
            continue
        if undivided:
            groups.append(undivided)
            undivided = []
        for side in (right, left) if is_leftward else (left, right):
            groups += _columns(side, is_leftward, depth + 1)
    return [*groups, undivided] if undivided else groups


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """Where the fewest pieces cross a vertical line that has text on both sides; None where too many do.

    A gutter is a strip in which hardly more pieces cross than at its best place: a page number may stand in it.
    """
    area = around(piece.area for piece in pieces)
    width, size = area.right - area.left, median(piece.size for piece in pieces)
    if width < 12 * size:
        return None
    changes = sorted([(piece.area.left, 1) for piece in pieces] + [(piece.area.right, -1) for piece in pieces])
    strips: list[tuple[int, float, float]] = []  # how many cross, from where to where
    crossing = ended = 0
    for (x, change), (following, _) in pairwise(changes):
        crossing += change
        ended += change < 0
        fewer = min(ended, len(pieces) - crossing - ended)
        is_inner = area.left + 0.12 * width < (x + following) / 2 < area.right - 0.12 * width
        if following > x and is_inner and fewer >= max(2, crossing):
            strips.append((crossing, x, following))
    if not strips:
        return None
    most = min(strips)[0] + max(1, len(pieces) // 50)
    widest, best = 0.0, None
    for _, run in groupby(_numbered_gaps(strips, most), key=lambda numbered: numbered[0]):
        parts = [part for _, part in run]
        total = parts[-1][2] - parts[0][1]
        if total > widest:
            widest, best = total, min(parts, key=lambda part: (part[0], part[1] - part[2]))
    return (best[1] + best[2]) / 2 if best and widest >= 0.5 * size else None


def _numbered_gaps(
    strips: Sequence[tuple[int, float, float]], most: int
) -> Iterator[tuple[int, tuple[int, float, float]]]:
    """The strips that at most so many cross, those that touch each other with the same number."""
    number, end = 0, None
    for strip in strips:
        if strip[0] <= most:
            number += end is not None and strip[1] > end
            end = strip[2]
            yield number, strip


def _bands(pieces: list[Piece], gutter: float) -> Iterator[list[Piece]]:
    """From the top down, by turns what crosses the gutter and what stands beside it."""
    ordered = sorted(pieces, key=lambda piece: (-piece.area.top - piece.area.bottom, piece.area.left))
    crosses = [piece.area.left < gutter < piece.area.right for piece in ordered]
    # a line that crosses takes what stands at its height along
    band: list[Piece] = []
    is_crossing = False
    for piece, does_cross in zip(ordered, crosses, strict=True):
        if band and does_cross != is_crossing and not (is_crossing and at_one_height(band[-1].area, piece.area)):
            yield band
            band = []
        if not band or does_cross:
            is_crossing = does_cross
        band.append(piece)
    if band:
        yield band


def _are_columns(left: Sequence[Piece], right: Sequence[Piece]) -> bool:
    """Whether two sides of a gutter are read one after the other and not row by row.

    Prose fills its column; cells do not. Where a few lines do not tell, the order of the file does: the lines of a column
    come one after the other, the cells of two columns by turns.
    """
    if _is_prose(left, 0) and _is_prose(right, 0):
        return True
    smaller, larger = sorted((left, right), key=len)
    stand_beside = _beside(smaller, larger) / len(smaller)
    is_wordy = _is_wordy(left) or _is_wordy(right)
    if stand_beside >= 0.8 and not is_wordy:
        return False
    (first, last), (other_first, other_last) = (
        (min(orders), max(orders)) for orders in ([piece.order for piece in side] for side in (left, right))
    )
    return (last < other_first or other_last < first) and (is_wordy or stand_beside < 0.5)


def _beside(pieces: Sequence[Piece], others: Sequence[Piece]) -> int:
    """How many pieces have one of the others at their height."""
    bottoms, tops = (np.array([piece.area[side] for piece in pieces])[:, None] for side in (1, 3))
    other_bottoms, other_tops = (np.array([piece.area[side] for piece in others]) for side in (1, 3))
    shared = np.minimum(tops, other_tops) - np.maximum(bottoms, other_bottoms)
    return int((shared >= 0.5 * np.minimum(tops - bottoms, other_tops - other_bottoms)).any(axis=1).sum())


def _is_prose(pieces: Sequence[Piece], depth: int) -> bool:
    """Whether lines of words fill a column, or all columns of it."""
    area = around(piece.area for piece in pieces)
    if (
        len(pieces) >= 3
        and median(piece.area.right - piece.area.left for piece in pieces) >= 0.6 * (area.right - area.left)
        and median(len(piece.text) for piece in pieces) >= 18
    ):
        return True
    gutter = _gutter(pieces) if depth < _MAX_COLUMNS_DEEP and len(pieces) >= 6 else None
    if gutter is None:
        return False
    sides = (
        [piece for piece in pieces if piece.area.right <= gutter],
        [piece for piece in pieces if piece.area.left >= gutter],
    )
    return all(side and _is_prose(side, depth + 1) for side in sides)


def _is_wordy(pieces: Sequence[Piece]) -> bool:
    return median(len(piece.text) for piece in pieces) >= 25


def _by_height(pieces: list[Piece], is_leftward: bool) -> list[list[Piece]]:
    """Pieces at one height together, from the top down."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.area.top - piece.area.bottom, piece.area.left)):
        if rows and at_one_height(rows[-1][0].area, piece.area):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        row.sort(key=lambda piece: -piece.area.right if is_leftward else piece.area.left)
    return rows


def _with_markers(row: list[Piece]) -> list[Piece]:
    """The row, in which the mark of a list is one piece with the text that it stands before."""
    if len(row) < 2 or not is_marker(row[0].text):
        return row
    marker, first = row[0], row[1]
    gap = max(first.area.left - marker.area.right, marker.area.left - first.area.right)
    if gap > _MARKER_REACH * max(first.size, 1):
        return row
    text, box, area = f"{marker.text} {first.text}", around((marker.box, first.box)), around((marker.area, first.area))
    return [Piece(text, box, area, first.size, first.is_bold, marker.order, first.turn), *row[2:]]


def is_marker(text: str) -> bool:
    """Whether this is all that stands before an item of a list: a bullet, 1., (a), iv), bb. A word at an end is none."""
    return text in _MARKERS if len(text) <= 1 else bool(_NUMBERED_MARKER.fullmatch(text))
