"""The door to PDFium: the bytes of a file in, its pages out, one at a time, as characters with boxes or as a picture.

Boxes are in the page's own coordinates, as it is before it is turned: points (1/72 inch), from the origin of the file's
user space, which is the lower left corner of the sheet unless its MediaBox says otherwise. A page is closed before the
next one is opened, so that memory does not grow with their number.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PIXELS = 40_000_000  # of a picture: 120 MB as colours, four times an A4 page at 300 dots an inch
MAX_BOOKMARKS = 100_000
_HEADER_BYTES = 1024  # within which the mark of a PDF has to stand
_REASONS = {
    raw.FPDF_ERR_PASSWORD: "is encrypted and needs a password: save a copy without one",
    raw.FPDF_ERR_SECURITY: "is encrypted in a way that is not supported: save a copy without a password",
}


class Box(NamedTuple):
    """A rectangle of a page in its own coordinates."""

    left: float
    bottom: float
    right: float
    top: float


class Bookmark(NamedTuple):
    """An entry of the outline: its depth from 0, its title, and its page from 1, 0 where it leads to none."""

    depth: int
    title: str
    page: int


@dataclass(frozen=True)
class PdfFile:
    """An open file; `source` is the name that errors tell."""

    document: Any
    source: str

    @property
    def page_count(self) -> int:
        return len(self.document)

    @property
    def information(self) -> dict[str, str]:
        """What the file says of itself: Title, Author and so on, those only that say something."""
        found: dict[str, str] = self.document.get_metadata_dict(skip_empty=True)
        return found

    def bookmarks(self) -> list[Bookmark]:
        """The outline, in its order."""
        return [
            Bookmark(mark.level, mark.get_title(), _page_number(mark))
            for mark in islice(self.document.get_toc(max_depth=15), MAX_BOOKMARKS)
        ]

    def page_label(self, page: int) -> str:
        """What page 1, 2 ... calls itself, "" where the file does not say."""
        label: str = self.document.get_page_label(page - 1)
        return label


def _page_number(mark: Any) -> int:
    destination = mark.get_dest()
    index = destination.get_index() if destination else None
    return 0 if index is None else index + 1


@contextmanager
def opened(data: bytes, source: str) -> Iterator[PdfFile]:
    """The file of these bytes, open as long as the context; UnreadableDocument says in a sentence why it cannot be."""
    if b"%PDF-" not in data[:_HEADER_BYTES]:
        raise UnreadableDocument(f"{source} is not a PDF: its first {_HEADER_BYTES} bytes do not hold the mark %PDF-")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        reason = _REASONS.get(error.err_code or 0, "is a damaged PDF that cannot be opened: save it again")
        raise UnreadableDocument(f"{source} {reason}") from error
    try:
        document.init_forms()
        if len(document) == 0:
            raise UnreadableDocument(f"{source} is a PDF without pages, or a damaged one: save it again")
        yield PdfFile(document, source)
    finally:
        document.close()


@contextmanager
def opened_page(file: PdfFile, page: int) -> Iterator[Any | None]:
    """Page 1, 2 ... of a file, open as long as the context; None where the file has a damaged one there."""
    try:
        opened_one = file.document[page - 1]
    except pypdfium2.PdfiumError:
        yield None
        return
    try:
        yield opened_one
    finally:
        opened_one.close()


def visible_box(page: Any) -> Box:
    """The part of an open page that is shown: its crop box within its sheet."""
    return Box(*page.get_bbox())


@dataclass(frozen=True)
class Picture:
    """A page as it is shown, turned and cropped, and where its own coordinates are in the picture, while it is open."""

    image: Any  # one of Pillow's
    _converter: Any

    def pixels(self, box: Box) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a box of the page in the picture, in pixels from its upper left corner."""
        corners = [self._converter.to_bitmap(x, y) for x, y in ((box.left, box.bottom), (box.right, box.top))]
        (first_x, first_y), (second_x, second_y) = corners
        return min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The box of the page that holds these pixels: the way back of `pixels`."""
        (first_x, first_y), (second_x, second_y) = (
            self._converter.to_page(round(x), round(y)) for x, y in ((left, bottom), (right, top))
        )
        return Box(min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y))


def picture_of(page: Any, scale: float) -> Picture:
    """An open page, `scale` pixels a point, or fewer where the picture would have more than MAX_PIXELS."""
    width, height = page.get_size()
    if width * height * scale * scale > MAX_PIXELS:
        scale = (MAX_PIXELS / (width * height)) ** 0.5
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        image = bitmap.to_pil().copy()  # the bitmap's own memory is freed
        return Picture(image, bitmap.get_posconv(page))
    finally:
        bitmap.close()
