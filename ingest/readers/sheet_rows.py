"""The cells of a sheet that have a value in, its rows out, in which what is merged over several rows stands in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384  # that a sheet may have
_MAX_REPEATED = 100  # characters of a merged cell that is repeated in each row it spans
_MAX_COPIES = 1_000_000  # characters of all of them on a sheet


class Cell(NamedTuple):
    """A value as text, and the block of cells that it fills; rows and columns count from 1."""

    text: str
    row: int
    column: int
    last_row: int
    last_column: int


class Row(NamedTuple):
    """A row that is not empty; `cells` are those with a value, in order."""

    number: int
    cells: tuple[Cell, ...]


class Sheet(NamedTuple):
    """A sheet: its rows by their numbers, each the cells with a value by their columns."""

    name: str
    is_hidden: bool
    rows: Iterator[tuple[int, dict[int, Cell]]]


def rows_with_spans(filled: Iterable[tuple[int, dict[int, Cell]]]) -> Iterator[Row]:
    """The rows that are not empty; `filled` are rows in order by their numbers, each its cells by their columns."""
    copies_left = _MAX_COPIES
    open_spans: dict[int, Cell] = {}  # by column: a cell that reaches into the rows below
    for number, cells in filled:
        if not cells:
            continue
        open_spans = {column: cell for column, cell in open_spans.items() if cell.last_row >= number}
        for column, cell in open_spans.items():
            if column not in cells and copies_left >= len(cell.text):
                copies_left -= len(cell.text)
                cells[column] = cell
        spans = (cell for cell in cells.values() if cell.last_row > number and len(cell.text) <= _MAX_REPEATED)
        open_spans.update((cell.column, cell) for cell in spans)
        yield Row(number, tuple(cells[column] for column in sorted(cells)))
