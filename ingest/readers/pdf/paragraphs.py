"""The rows of all pages in, the paragraphs, items, tables and headings that they make up out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from ingest.readers.pdf.layout import is_marker
from ingest.readers.pdf.tables import begins_small, follows_closely

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readers.pdf.layout import PageLayout, Row
    from ingest.readers.pdf.pieces import Piece

_USUAL_PITCH = 1.25  # from line to line, in sizes of their letters
_LARGER_PITCH = 1.22  # times the usual one: what divides paragraphs
_OTHER_SIZE = 0.08
_INDENT = 0.8  # sizes
_SENTENCE_END = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")
_LEADS_TO_A_PAGE = re.compile(r" \.\.\. [\w-]{1,8}$")


@dataclass
class Paragraph:
    """Rows that are read as one, each with its page; `kind` is paragraph, list, table or heading, with its `level`."""

    kind: str
    rows: list[tuple[int, Row]] = field(default_factory=list)
    level: int = 0

    @property
    def last(self) -> Row:
        return self.rows[-1][1]

    @property
    def pieces(self) -> list[Piece]:
        return [piece for _, row in self.rows for piece in row.pieces]

    @property
    def text(self) -> str:
        return " ".join(row.text for _, row in self.rows)

    @property
    def size(self) -> float:
        return self.rows[0][1].size

    @property
    def is_bold(self) -> bool:
        return all(piece.is_bold for piece in self.pieces)


def body_size(pages: Sequence[PageLayout]) -> float:
    """The size of the most letters, in half points."""
    letters: Counter[float] = Counter()
    for page in pages:
        for row in page.rows:
            for piece in row.pieces:
                letters[round(2 * piece.size) / 2] += len(piece.text)
    return max(letters, key=lambda size: (letters[size], size)) if letters else 0


def paragraphs(pages: Sequence[PageLayout]) -> list[Paragraph]:
    """The paragraphs of all pages; one may go on from a page or a column to the next."""
    found: list[Paragraph] = []
    for page in pages:
        for _, group in groupby(page.rows, key=lambda row: row.column):
            rows = list(group)
            pitch = _usual_pitch(rows)
            for is_table, run in _runs(rows):
                if is_table:
                    found.append(Paragraph("table", [(page.page, row) for row in run]))
                    continue
                for row in run:
                    if found and _goes_on(found[-1], page.page, row, pitch):
                        found[-1].rows.append((page.page, row))
                    else:
                        found.append(Paragraph("list" if _is_item(row) else "paragraph", [(page.page, row)]))
    return found


def _usual_pitch(rows: Sequence[Row]) -> float:
    """How far the lines of paragraphs stand apart here, in sizes of their letters."""
    pitches = sorted(pitch for first, second in pairwise(rows) if 0.8 < (pitch := _pitch(first, second)) < 3)
    return max(pitches[len(pitches) // 4], 1.0) if len(pitches) >= 3 else _USUAL_PITCH


def _pitch(above: Row, below: Row) -> float:
    size = max(above.size, below.size, 1)
    return (above.area.top + above.area.bottom - below.area.top - below.area.bottom) / 2 / size


def _runs(rows: Sequence[Row]) -> Iterator[tuple[bool, list[Row]]]:
    """The rows in runs: those of a table, two or more with cells and what stands between them, and others."""
    flags = [len(row.pieces) > 1 for row in rows]
    for number in range(1, len(rows)):
        if not flags[number] and flags[number - 1]:
            flags[number] = _is_rest_of_cell(
                rows[number - 1], rows[number], number + 1 < len(rows) and flags[number + 1]
            )
    start = 0
    for flag, group in groupby(flags):
        length = len(list(group))
        run = list(rows[start : start + length])
        yield flag and sum(len(row.pieces) > 1 for row in run) > 1, run
        start += length


def _is_rest_of_cell(above: Row, row: Row, has_cells_below: bool) -> bool:
    """Whether a row of one piece below one with cells is the rest of one of these."""
    is_first = row.area.left <= row.left + row.size
    return not is_first and (has_cells_below or (begins_small(row.text) and follows_closely(above, row)))


def _is_item(row: Row) -> bool:
    """Whether a row begins with the mark of a list and goes on after it, or is one of a table of contents."""
    marker, space, rest = row.pieces[0].text.partition(" ")
    return (bool(space and rest) and is_marker(marker)) or bool(_LEADS_TO_A_PAGE.search(row.text))


def _goes_on(paragraph: Paragraph, page: int, row: Row, pitch: float) -> bool:
    """Whether a row belongs to the paragraph that the row before it is in."""
    last_page, last = paragraph.rows[-1]
    if paragraph.kind == "table" or _LEADS_TO_A_PAGE.search(last.text) or _is_item(row) or len(row.pieces) > 1:
        return False
    size = max(last.size, row.size, 1)
    if abs(last.size - row.size) > _OTHER_SIZE * size:
        return False
    if last.pieces[-1].is_bold != row.pieces[0].is_bold and paragraph.is_bold != all(p.is_bold for p in row.pieces):
        return False
    if last_page != page or last.column != row.column:
        return _is_unfinished(last.text) and row.text[:1].islower() and not (last.is_note or row.is_note)
    if last.pieces[-1].has_line_hyphen and row.text[:1].islower():
        return True
    if not -0.5 < _pitch(last, row) < _LARGER_PITCH * pitch + 0.05:
        return False
    indent = (row.area.left - last.area.left) / size
    if paragraph.kind == "list":  # its first line alone may be indented
        goes_back = len(paragraph.rows) == 1 and _is_unfinished(last.text) and not _is_short(last, row)
        return indent > -_INDENT / 2 or goes_back
    if indent > _INDENT and not _is_centered(last, row, size):
        return False
    if indent < -_INDENT and len(paragraph.rows) > 1 and not _is_centered(last, row, size):
        return False
    return not _is_short(last, row)


def _is_unfinished(text: str) -> bool:
    return not _SENTENCE_END.search(text)


def _is_centered(first: Row, second: Row, size: float) -> bool:
    """Whether two rows of a title have one middle."""
    middles = [(row.area.left + row.area.right) / 2 for row in (first, second)]
    return abs(middles[0] - middles[1]) < 0.5 * size


def _is_short(last: Row, row: Row) -> bool:
    """Whether the next row's first word had room on the last row, which therefore ends a paragraph."""
    first = row.pieces[0]
    word = len(first.text.split(None, 1)[0]) / max(len(first.text), 1) * (first.area.right - first.area.left)
    room = row.right - last.area.right
    return room > word + 1.5 * row.size and (not row.text[:1].islower() or not _is_unfinished(last.text))
