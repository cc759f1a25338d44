"""The pieces of a page in, its rows in the order they are read out: columns one after the other, tables row by row.

A gutter that hardly any piece crosses divides a page
into columns, as far as what stands beside it is prose; where cells stand there, they are a row. Everything is measured
in coordinates in which most of the page's text is upright; text in another direction comes last.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ingest.readers.pdf.pieces import Piece, around, at_one_height, upright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf.pdfium import Box

_MARKER_REACH = 5.0  # how far a list's mark may stand from its text
_MAX_COLUMNS_DEEP = 6
_MAX_COLUMN_PIECES = 4000  # of a page, beyond which it is a drawing and is read from the top down
_MARKERS = frozenset("•●○◦▪■□–—-*·‣➢✓")


class Row:
    """What stands at one height within a column, from left to right, and the left and right end of that column."""

    __slots__ = ("area", "column", "left", "pieces", "right", "size", "text")

    def __init__(self, pieces: list[Piece], left: float, right: float, column: int) -> None:
        self.pieces, self.left, self.right, self.column = pieces, left, right, column
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


def page_layout(page: int, pieces: list[Piece], shown: Box, label: str = "") -> PageLayout:
    """The layout of a page with these pieces, of which `shown` is shown."""
    if not pieces:
        return PageLayout(page, [], shown, label)
    letters: Counter[int] = Counter()
    for piece in pieces:
        letters[piece.turn] += len(piece.text)
    turns = sorted(letters, key=lambda turn: (-letters[turn], turn))
    rows: list[Row] = []
    for turn in turns:
        rows += _rows([piece for piece in pieces if piece.turn == turn], rows[-1].column + 1 if rows else 0)
    return PageLayout(page, rows, upright(shown, turns[0]), label)


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
    leftward = sum("\u0590" <= letter <= "\u08ff" or "\ufb1d" <= letter <= "\ufefc" for letter in text)
    return 2 * leftward > len(text)


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


def _gutter(pieces: list[Piece]) -> float | None:
    """Where a vertical line crosses the fewest pieces and has text on both sides; None where too many cross it."""
    area = around(piece.area for piece in pieces)
    width = area.right - area.left
    size = median(piece.size for piece in pieces)
    if width < 12 * size:
        return None
    changes = sorted([(piece.area.left, 1) for piece in pieces] + [(piece.area.right, -1) for piece in pieces])
    best: tuple[float, float, float] | None = None
    crossing = left = 0
    for (x, change), (following, _) in pairwise(changes):
        crossing += change
        left += change < 0
        middle = (x + following) / 2
        if following - x < 0.5 * size or not area.left + 0.15 * width < middle < area.right - 0.15 * width:
            continue
        fewer = min(left, len(pieces) - crossing - left)
        if fewer < 2 or crossing > 0.5 * fewer:
            continue
        rank = (crossing, x - following, middle)
        best = min(best, rank) if best else rank
    return best[2] if best else None


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
    if _is_prose(left) and _is_prose(right):
        return True
    smaller, larger = sorted((left, right), key=len)
    beside = sum(any(at_one_height(piece.area, other.area) for other in larger) for piece in smaller)
    in_turns = max(piece.order for piece in left) > min(piece.order for piece in right) and max(
        piece.order for piece in right
    ) > min(piece.order for piece in left)
    if beside >= 0.8 * len(smaller) and not (_is_wordy(left) or _is_wordy(right)):
        return False
    return not in_turns and (_is_wordy(left) or _is_wordy(right) or beside < 0.5 * len(smaller))


def _is_prose(pieces: Sequence[Piece]) -> bool:
    area = around(piece.area for piece in pieces)
    width = area.right - area.left
    return (
        len(pieces) >= 3
        and median(piece.area.right - piece.area.left for piece in pieces) >= 0.6 * width
        and median(len(piece.text) for piece in pieces) >= 18
    )


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
    """Whether this is all that stands before an item of a list: a bullet, 1., (a), iv)."""
    if len(text) <= 1:
        return text in _MARKERS
    inner = text.strip("().")
    return len(text) <= 6 and text[-1] in ".)" and inner.isalnum() and (inner.isdigit() or len(inner) <= 4)
