"""The rows of a table in, its cells out: a line that goes on with a wrapped cell is part of that cell.

Lines do not say whether one goes on with the cells above it or begins a row with empty cells. It goes on where it follows
closely, has nothing in the first column and each of its pieces below one cell, and begins there with a small letter and a
word for which the line above had no room. What is left apart by mistake still stands below what it belongs to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.readers.pdf.layout import Row
    from ingest.readers.pdf.pieces import Piece

    PlacedPiece: TypeAlias = tuple[int, Piece]  # with its page
    Cell: TypeAlias = list[PlacedPiece]  # its lines

_CLOSE = 1.6  # sizes between the middles of two lines of a cell
_LONGEST_WORD = 50
_SMALL_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*[,.;:!?)]*(?=\s|$)")
_SENTENCE_END = re.compile(r"[.!?:;]$")
_MOST_PIECES = 2000  # of a table in which wrapped cells are looked for: each is compared with all others


def table_cells(rows: Sequence[tuple[int, Row]]) -> list[list[Cell]]:
    """The cells of each row, each with its lines."""
    pieces = [piece for _, row in rows for piece in row.pieces]
    found: list[list[Cell]] = []
    above: tuple[int, Row] | None = None
    for page, row in rows:
        below = _cells_above(found[-1], row) if above and above[0] == page and follows_closely(above[1], row) else []
        if below and len(pieces) <= _MOST_PIECES and _goes_on(below, row, pieces):
            for cell, piece in zip(below, row.pieces, strict=True):
                cell.append((page, piece))
        else:
            found.append([[(page, piece)] for piece in row.pieces])
        above = page, row
    return found


def follows_closely(above: Row, row: Row) -> bool:
    """Whether a row stands no further below another than the lines of a cell do."""
    distance = (above.area.top + above.area.bottom - row.area.top - row.area.bottom) / 2
    return 0 < distance < _CLOSE * max(above.size, row.size, 1)


def begins_small(text: str) -> bool:
    """Whether this begins with a word in small letters, as the rest of a sentence does, and no name of a program."""
    return bool(_SMALL_WORD.match(text)) and text[:_LONGEST_WORD].split(None, 1)[0].islower()


def _cells_above(cells: list[Cell], row: Row) -> list[Cell]:
    """The cell above each piece of a row, none of them the first; [] where one has none or several, or two the same."""
    found: list[Cell] = []
    for piece in row.pieces:
        above = [cell for cell in cells if any(_share_a_column(piece, line) for _, line in cell)]
        if len(above) != 1 or above[0] is cells[0] or any(above[0] is other for other in found):
            return []
        found += above
    return found


def _share_a_column(piece: Piece, other: Piece) -> bool:
    return piece.area.left < other.area.right and other.area.left < piece.area.right


def _goes_on(below: list[Cell], row: Row, pieces: Sequence[Piece]) -> bool:
    """Whether all pieces of a row go on with the cells that they are below."""
    return all(
        begins_small(piece.text)
        and not _SENTENCE_END.search(cell[-1][1].text)
        and not _had_room(cell[-1][1], piece, pieces)
        for cell, piece in zip(below, row.pieces, strict=True)
    )


def _had_room(line: Piece, following: Piece, pieces: Sequence[Piece]) -> bool:
    """Whether the next line's first word had room behind a line, as far as others of the column reach."""
    right = max(other.area.right for other in pieces if _share_a_column(line, other))
    word = len(following.text.split(None, 1)[0]) / len(following.text) * (following.area.right - following.area.left)
    return right - line.area.right > word + 0.3 * line.size
