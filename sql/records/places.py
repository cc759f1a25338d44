"""Where text stands in the file that it was extracted from: on a page, in a rectangle, in cells, in a part of a mail.

A place says it of some of a document's text. It is a row of the table `places`, and what a citation can show besides the
name of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE, SLIDE = "page", "slide"  # what the pages of a file are called
LONGEST_NAME = 200  # characters of a sheet's name or a page's label that are kept: each place of a sheet has its name
_MAIL_PART = re.compile(r"[1-9][0-9]*(?:\.[1-9][0-9]*)*")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the file, the first being 1; `label` is what it is itself called where that is no such number: iv, A-3.

    `unit` is what people call such a page: `page`, or `slide` in a presentation.
    """

    number: int
    label: str = ""
    unit: str = PAGE

    def __post_init__(self) -> None:
        if self.number < 1 or self.unit not in {PAGE, SLIDE}:
            raise ValueError(f"{self.unit} {self.number}: pages and slides count from 1")

    @property
    def name(self) -> str:
        """Its label, or else its number."""
        return self.label or str(self.number)


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
        return f"{self.sheet}!{self.range}"

    @property
    def range(self) -> str:
        """The block without its sheet: B2:AB7, or B2."""
        first, last = (
            f"{letters(column).upper()}{row}"
            for row, column in ((self.first_row, self.first_column), (self.last_row, self.last_column))
        )
        return first + (f":{last}" if last != first else "")


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


Whereabouts = Page | Rectangle | Cells | NotebookCell | MailPart


@dataclass(frozen=True, slots=True)
class Place:
    """Where the text from `start` to `end` stands in the original."""

    start: int
    end: int
    where: Whereabouts

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"the place of {self.start}..{self.end}: a place is that of some text")

    def record(self) -> dict[str, Any]:
        """It as JSON; what it has besides `kind`, `start` and `end` depends on the kind."""
        return {"kind": kind_of(self.where), "start": self.start, "end": self.end} | _details(self.where)


# The kinds, as the table and JSON call them
RECTANGLE, CELLS, NOTEBOOK_CELL, MAIL_PART = "rectangle", "cells", "notebook cell", "mail part"


def kind_of(where: Whereabouts) -> str:
    """What the table calls such a place."""
    match where:
        case Page():
            return where.unit
        case Rectangle():
            return RECTANGLE
        case Cells():
            return CELLS
        case NotebookCell():
            return NOTEBOOK_CELL
        case MailPart():
            return MAIL_PART


def _details(where: Whereabouts) -> dict[str, Any]:
    match where:
        case Page():
            return {"page": where.number, "label": where.name}
        case Rectangle():
            sides = {"left": where.left, "bottom": where.bottom, "right": where.right, "top": where.top}
            return {"page": where.page} | {side: round(points, 2) for side, points in sides.items()}
        case Cells():
            return {"sheet": where.sheet, "cells": where.range}
        case NotebookCell():
            return {"cell": where.number}
        case MailPart():
            return {"part": where.number}


def page_label(places: Iterable[Place]) -> str:
    """What the first page among some places is called, "" where they are on none."""
    return next((place.where.name for place in places if isinstance(place.where, Page)), "")


def place_name(places: Sequence[Place]) -> str:
    """What people call the place of a text whose places, in order, are these; "" where there are none.

    >>> place_name([Place(0, 9, Page(4, "iv")), Place(9, 20, Page(5, "v"))]), place_name([Place(0, 9, Page(3, "", SLIDE))])
    ('pages iv to v', 'slide 3')
    >>> place_name([Place(0, 4, Cells("Budget", 2, 2, 2, 2)), Place(7, 9, Cells("Budget", 7, 3, 7, 3))])
    'Budget!B2:C7'
    >>> place_name([Place(0, 4, NotebookCell(4))]), place_name([Place(0, 4, MailPart("1.2"))])
    ('cell 4', 'part 1.2')
    """
    found = [place.where for place in places]
    pages = [where for where in found if isinstance(where, Page)]
    unit = pages[0].unit if pages else PAGE
    names = [where.name for where in pages] or [str(where.page) for where in found if isinstance(where, Rectangle)]
    named = (
        _numbered(unit, names),
        ", ".join(str(block) for block in _blocks(where for where in found if isinstance(where, Cells))),
        _numbered("cell", [str(where.number) for where in found if isinstance(where, NotebookCell)]),
        _numbered("part", [where.number for where in found if isinstance(where, MailPart)]),
    )
    return kept_name(", ".join(name for name in named if name))


def kept_name(name: str) -> str:
    """A name that a file gave, of bounded length; half a surrogate pair, which is no text, becomes a question mark."""
    whole = name if name.isascii() else name.encode("utf-8", "replace").decode()
    return whole if len(whole) <= LONGEST_NAME else whole[: LONGEST_NAME - 1] + "…"


def _numbered(unit: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{unit} {names[0]}" if names[0] == names[-1] else f"{unit}s {names[0]} to {names[-1]}"


def _blocks(cells: Iterable[Cells]) -> list[Cells]:
    """For each sheet the smallest block that holds its cells."""
    found: dict[str, Cells] = {}
    for one in cells:
        known = found.get(one.sheet, one)
        found[one.sheet] = Cells(
            one.sheet,
            min(known.first_row, one.first_row),
            min(known.first_column, one.first_column),
            max(known.last_row, one.last_row),
            max(known.last_column, one.last_column),
        )
    return list(found.values())


def letters(number: int) -> str:
    """A number from 1 on in small letters: what follows z is aa.

    >>> [letters(number) for number in (1, 26, 27, 703)]
    ['a', 'z', 'aa', 'aaa']
    """
    written = ""
    while number:
        number, rest = divmod(number - 1, 26)
        written = chr(ord("a") + rest) + written
    return written
