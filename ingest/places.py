"""Where extracted text stands in the file that it came from: marks of pages, and places as exact as the format knows them.

A format with pages has a mark where each begins; the slides of a presentation are pages too. What is more exact than a
page is a place: a rectangle on a page, cells of a sheet, a cell of a notebook, a part of a mail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from ingest.numerals import letters

_MAIL_PART = re.compile(r"[1-9][0-9]*(?:\.[1-9][0-9]*)*")


@dataclass(frozen=True, slots=True)
class PageMark:
    """From `offset` of the text up to the next mark stands page `page`, the first of the file being 1.

    `label` is what the page itself is called where that is no such number: iv, A-3. A page without text needs no mark.
    """

    offset: int
    page: int
    label: str = ""

    def __post_init__(self) -> None:
        if self.offset < 0 or self.page < 1:
            raise ValueError(f"page {self.page} at offset {self.offset}: pages count from 1 and offsets from 0")


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A piece of a page before it is turned, in points (1/72 inch) of the file's own coordinates.

    Their origin is the lower left corner of the sheet, where its MediaBox does not put it elsewhere; what a CropBox cuts
    off moves nothing. An annotation of a PDF has its place in the same numbers.
    """

    page: int
    left: float
    bottom: float
    right: float
    top: float

    def __post_init__(self) -> None:
        sides = (self.left, self.bottom, self.right, self.top)
        if self.page < 1 or not all(map(isfinite, sides)) or self.left > self.right or self.bottom > self.top:
            raise ValueError(f"a rectangle on page {self.page} has its sides in order and finite, not {sides}")


@dataclass(frozen=True, slots=True)
class Cells:
    """A cell of a sheet or a block of them; rows and columns count from 1.

    >>> str(Cells("Budget", 2, 2, 7, 28)), str(Cells("Budget", 1, 1, 1, 1))
    ('Budget!B2:AB7', 'Budget!A1')
    """

    sheet: str
    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def __post_init__(self) -> None:
        if not (1 <= self.first_row <= self.last_row and 1 <= self.first_column <= self.last_column):
            raise ValueError(
                f"cells of {self.sheet}: rows {self.first_row} to {self.last_row} and columns {self.first_column} to "
                f"{self.last_column} are no block that counts from 1"
            )

    def __str__(self) -> str:
        first, last = (
            f"{letters(column).upper()}{row}"
            for row, column in ((self.first_row, self.first_column), (self.last_row, self.last_column))
        )
        return f"{self.sheet}!{first}" + (f":{last}" if last != first else "")


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """A cell of a notebook by its place in the file, the first being 1: the number of its execution says less."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"cell {self.number}: the cells of a notebook count from 1")


@dataclass(frozen=True, slots=True)
class MailPart:
    """A part of a mail as IMAP numbers them (RFC 9051, section 6.4.5): 1, 2.1."""

    number: str

    def __post_init__(self) -> None:
        if not _MAIL_PART.fullmatch(self.number):
            raise ValueError(f"part {self.number!r} of a mail: numbers from 1 with dots between them say where it is")


Whereabouts = Rectangle | Cells | NotebookCell | MailPart


@dataclass(frozen=True, slots=True)
class Place:
    """Where the text from `start` to `end` stands in the original."""

    start: int
    end: int
    where: Whereabouts

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"the place of {self.start}..{self.end}: a place is that of some text")
