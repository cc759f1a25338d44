"""Where extracted text stands in the file that it came from: marks of pages, and places as exact as the format knows them.

A format with pages has a mark where each begins; the slides of a presentation are pages too. What is more exact than a
page is a place: a rectangle on a page, cells of a sheet, a cell of a notebook, a part of a mail. In the store a page is a
place as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sql.records.places import PAGE, SLIDE, Cells, MailPart, NotebookCell, Page, Place, Rectangle, Whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Cells", "MailPart", "NotebookCell", "PageMark", "Place", "Rectangle", "Whereabouts", "page_places"]

PRESENTATIONS = frozenset(("odp", "pptx"))  # formats whose pages people call slides


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


def page_places(marks: Sequence[PageMark], length: int, file_format: str = "") -> Iterator[Place]:
    """Pages as places, of a text of so many characters that marks divide."""
    unit = SLIDE if file_format in PRESENTATIONS else PAGE
    ends = [*(mark.offset for mark in marks[1:]), length] if marks else []
    for mark, end in zip(marks, ends, strict=True):
        yield Place(mark.offset, end, Page(mark.page, mark.label, unit))
