"""Tables whose columns stand below each other, as reStructuredText and pandoc write them: their rulers, headers and rows.

Kiln    Heat
------  ----
wood    1240
gas     1260
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.text.sentences import line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

RULER = re.compile(r"[ ]{0,3}(?:={2,}(?:[ \t]+=+)+|-{2,}(?:[ \t]+-+)+)[ \t]*\Z")
"""A line that says where the columns are."""
_FRAME = re.compile(r"[ ]{0,3}(?:-{3,}|={3,})[ \t]*\Z")  # around a table whose rows have several lines
_TWO_CELLS = re.compile(r"\S[ \t]{2,}\S")
_FIRST_COLUMN = re.compile(r"[ ]*[=-]+[ \t]+")
_LEAST_INDENT = 4  # columns by which a line is further in than a row that it goes on with, where no ruler tells


def has_columns(header: str) -> bool:
    """Whether the line above rows is that of a table whose columns stand below each other.

    >>> has_columns("Kiln    Heat"), has_columns("| Kiln    | Heat |"), has_columns("It is so.  These are:")
    (True, False, False)
    """
    return _TWO_CELLS.search(header) is not None and "|" not in header and not header.rstrip().endswith((":", "："))


def column_rows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each row, and of each ruler, in the part of a table below its header.

    Where a blank line divides rows, each is a run of lines; else each is a line, with those that leave its first column empty.
    """
    lines = list(line_spans(text, start, end))
    filled = [number for number, line in enumerate(lines) if text[slice(*line)].strip()]
    if not filled:
        return
    written = {number: text[slice(*lines[number])] for number in filled}
    rulers = {number for number, line in written.items() if RULER.match(line) or _FRAME.match(line)}
    rows = [number for number in filled if number not in rulers]
    has_runs = any(after - before > 1 and not rulers & set(range(before, after)) for before, after in pairwise(rows))
    further_in = _width_of_first(text, lines, rulers, rows)
    row: list[int] = []
    for number in filled:
        line = text[slice(*lines[number])]
        goes_on = row and number - row[-1] == 1 and number not in rulers and row[-1] not in rulers
        if goes_on and (has_runs or _indent(line) >= further_in):
            row.append(number)
            continue
        if row:
            yield trimmed(text, lines[row[0]][0], lines[row[-1]][1])
        row = [number]
    yield trimmed(text, lines[row[0]][0], lines[row[-1]][1])


def _width_of_first(text: str, lines: list[tuple[int, int]], rulers: set[int], rows: list[int]) -> int:
    """The columns that a line leaves empty at least where it goes on with the row above."""
    for number in sorted(rulers):
        if first := _FIRST_COLUMN.match(text[slice(*lines[number])]):
            return first.end()
    return min((_indent(text[slice(*lines[number])]) for number in rows), default=0) + _LEAST_INDENT


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
