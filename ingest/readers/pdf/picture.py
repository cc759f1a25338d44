"""A PDF, the number of a page and rectangles in, a picture of that page with the rectangles marked out."""

from __future__ import annotations

import threading
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

from ingest.readers.pdf.pdfium import Box, opened, opened_page, picture_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.places import Rectangle

DEFAULT_SCALE = 2.0  # pixels a point: 144 dots an inch, at which small print can be read
_HIGHLIGHTER = (255, 235, 80)
_ONE_AT_A_TIME = threading.Lock()  # PDFium must not be called from two threads at once
_MARGIN = 1.0  # points around a rectangle, so that the marking does not cut into letters


def draw_page(
    data: bytes,
    page: int,
    rectangles: Iterable[Rectangle] = (),
    scale: float = DEFAULT_SCALE,
    source: str = "the file",
) -> bytes:
    """A page of a PDF as the bytes of a PNG, turned and cropped as it is shown, with rectangles marked in yellow.

    `data` are all bytes of the file, `page` counts from 1, `rectangles` are such as the places of a document hold: those
    of other pages are passed over, so all those of a citation can be given. `scale` is in pixels a point; a page that
    would have more than 40 million pixels is drawn smaller. The marking darkens: black letters stay black. `source` is
    the name by which an error calls the file.

    Raises UnreadableDocument where the data is no PDF that can be opened or the page cannot be drawn, ValueError where
    there is no such page or scale. Nothing of the file is run or fetched.
    """
    if not (isfinite(scale) and scale > 0):
        raise ValueError(f"a page is drawn at a number of pixels a point above 0, not at {scale}")
    with _ONE_AT_A_TIME, opened(data, source) as file:
        if not 1 <= page <= file.page_count:
            raise ValueError(f"{source} has pages 1 to {file.page_count}, not {page}")
        with opened_page(file, page) as open_page:
            if open_page is None:
                raise UnreadableDocument(f"page {page} of {source} is damaged and cannot be drawn")
            picture = picture_of(open_page, scale)
            boxes = [picture.pixels(_widened(each)) for each in rectangles if each.page == page]
    image = picture.image
    for box in boxes:
        _mark(image, box)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _widened(rectangle: Rectangle) -> Box:
    return Box(rectangle.left - _MARGIN, rectangle.bottom - _MARGIN, rectangle.right + _MARGIN, rectangle.top + _MARGIN)


def _mark(image: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Lays a highlighter's colour over a part of the image."""
    left, top, right, bottom = box
    within = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    if within[0] >= within[2] or within[1] >= within[3]:
        return
    part = image.crop(within)
    image.paste(ImageChops.multiply(part, Image.new("RGB", part.size, _HIGHLIGHTER)), within[:2])
