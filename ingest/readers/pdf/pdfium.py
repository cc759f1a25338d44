"""The door to PDFium: the bytes of a file in, its pages out, one at a time, as characters with boxes or as a picture.

Boxes are in the page's own coordinates, as it is before it is turned: points (1/72 inch), from the origin of the file's
user space, which is the lower left corner of the sheet unless its MediaBox says otherwise. A page is closed before the
next one is opened, so that memory does not grow with their number.
"""

from __future__ import annotations

import ctypes
import re
import zlib
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, repeat
from math import hypot
from sys import byteorder
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pypdfium2
from pypdfium2 import raw

from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_PIXELS = 40_000_000  # of a picture: 120 MB as colours, four times an A4 page at 300 dots an inch
MAX_BOOKMARKS = 100_000
_HEADER_BYTES = 1024  # within which the mark of a PDF has to stand
_LAYERS, _OBJECT_STREAM = b"/OCProperties", b"/ObjStm"  # the latter is compressed and may hold the former
_OBJECT_STREAMS = re.compile(rb"/ObjStm\b(?:(?!endobj|stream).){0,500}?>>\s{0,10}stream\r?\n", re.DOTALL)
_MAX_INFLATED = 32_000_000
_MAX_LAYERS, _MAX_LAYER_PIXELS = 500, 1_000_000
_MAX_ANNOTATIONS = 10_000
_NOTES = (raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP)
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
    may_have_layers: bool = False

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
    if not data:
        raise UnreadableDocument(f"{source} is empty, not a PDF as its name says")
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
        yield PdfFile(document, source, _may_have_layers(data))
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


class LaidOver(NamedTuple):
    """Where something with text is laid over a page: a note or a stamp, or else the field of a form."""

    box: Box
    is_note: bool


@contextmanager
def opened_to_read(file: PdfFile, page: int) -> Iterator[tuple[Any | None, list[LaidOver]]]:
    """Like opened_page, with the values of forms and the text of notes in the page, and without layers that are off.

    What was laid over comes last among the page's characters; with the page comes where it is.
    """
    with opened_page(file, page) as first:
        laid_over = _laid_over(first) if first is not None else []
        if first is None or not laid_over:
            if first is not None and file.may_have_layers:
                _leave_out_hidden_layers(first)
            yield first, []
            return
        raw.FPDFPage_Flatten(first, raw.FLAT_NORMALDISPLAY)
    with opened_page(file, page) as flattened:  # what was flattened is in the text of a page that is opened anew only
        if flattened is not None and file.may_have_layers:
            _leave_out_hidden_layers(flattened)
        yield flattened, laid_over


def _laid_over(page: Any) -> list[LaidOver]:
    found, rectangle = [], raw.FS_RECTF()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if annotation:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind in (raw.FPDF_ANNOT_WIDGET, *_NOTES):
                raw.FPDFAnnot_GetRect(annotation, rectangle)
                box = Box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
                found.append(LaidOver(box, kind in _NOTES))
            raw.FPDFPage_CloseAnnot(annotation)
    return found


def shows_something(page: Any) -> bool:
    """Whether an open page has anything on it."""
    return bool(raw.FPDFPage_CountObjects(page) > 0)


# Layers


def _may_have_layers(data: bytes) -> bool:
    """Whether the catalog of a file may name layers: most files have none, and need not be searched for them."""
    if _LAYERS in data:
        return True
    if b"/Encrypt" in data:
        return _OBJECT_STREAM in data
    left = _MAX_INFLATED
    for found in _OBJECT_STREAMS.finditer(data):
        stream = zlib.decompressobj()
        try:
            inflated = stream.decompress(memoryview(data)[found.end() :], left)
        except zlib.error:
            return True
        left -= len(inflated)
        if _LAYERS in inflated or left <= 0:
            return True
    return False


def _leave_out_hidden_layers(page: Any) -> None:
    """Takes what a switched-off layer holds out of an open page.

    PDFium reads the text of every layer and does not say which are off, but it draws only those that are on. So what is
    marked as part of a layer is drawn alone, and a layer that leaves the picture empty is one that is off.
    """
    layers: dict[str, list[Any]] = {}
    objects = [raw.FPDFPage_GetObject(page, index) for index in range(raw.FPDFPage_CountObjects(page))]
    for each in objects:
        name = _layer(each)
        if name:
            layers.setdefault(name, []).append(each)
    if not layers or len(layers) > _MAX_LAYERS:
        return
    for each in objects:
        raw.FPDFPageObj_SetIsActive(each, False)
    hidden = [each for layer in layers.values() if not _is_drawn(page, layer) for each in layer]
    for each in objects:
        raw.FPDFPageObj_SetIsActive(each, True)
    for each in hidden:
        raw.FPDFPageObj_SetIsActive(each, False)


def _layer(page_object: Any) -> str:
    """The layers that an object of a page is marked as part of, "" where it is in none."""
    marks = (raw.FPDFPageObj_GetMark(page_object, index) for index in range(raw.FPDFPageObj_CountMarks(page_object)))
    return "\n".join(f"{_mark_name(mark)} {_mark_value(mark)}" for mark in marks if _mark_name(mark) == "OC")


def _mark_name(mark: Any) -> str:
    return _utf_16(lambda *where: raw.FPDFPageObjMark_GetName(mark, *where))


def _mark_value(mark: Any) -> str:
    return _utf_16(lambda *where: raw.FPDFPageObjMark_GetParamStringValue(mark, b"Name", *where))


def _utf_16(read: Any) -> str:
    buffer, size = (ctypes.c_ushort * 256)(), ctypes.c_ulong()
    is_known = read(buffer, ctypes.sizeof(buffer), size)
    return bytes(buffer)[: size.value].decode(_UTF_16, "replace").rstrip("\0") if is_known else ""


def _is_drawn(page: Any, objects: list[Any]) -> bool:
    """Whether any of these leaves a trace when they are drawn alone; text that is never drawn is, for that, black."""
    invisible = [
        each
        for each in objects
        if raw.FPDFPageObj_GetType(each) == raw.FPDF_PAGEOBJ_TEXT
        and raw.FPDFTextObj_GetTextRenderMode(each) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
    ]
    for each in objects:
        raw.FPDFPageObj_SetIsActive(each, True)
    for each in invisible:
        raw.FPDFTextObj_SetTextRenderMode(each, raw.FPDF_TEXTRENDERMODE_FILL)
    width, height = page.get_size()
    scale = min(1.0, (_MAX_LAYER_PIXELS / max(width * height, 1)) ** 0.5)
    bitmap = page.render(scale=scale, fill_color=(0, 0, 0, 0), draw_annots=False, may_draw_forms=False)
    try:
        return bool(np.any(bitmap.to_numpy()))
    finally:
        bitmap.close()
        for each in invisible:
            raw.FPDFTextObj_SetTextRenderMode(each, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
        for each in objects:
            raw.FPDFPageObj_SetIsActive(each, False)


# Boxes and pictures


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


class Characters:
    """The characters of an open page by index. Each question is a call, which takes about half a microsecond."""

    def __init__(self, text_page: Any) -> None:
        self._page = ctypes.cast(text_page.raw, ctypes.c_void_p).value
        self._matrix = raw.FS_MATRIX()
        self._bold_fonts: dict[int, bool] = {}
        self.count: int = text_page.count_chars()

    def units(self) -> NDArray[np.uint16]:
        """The page's text in units of UTF-16, mostly as many as `count`."""
        buffer = np.zeros(self.count + 2, np.uint16)
        length = _GET_TEXT(self._page, 0, self.count, buffer.ctypes.data)
        return buffer[: max(length - 1, 0)]

    def boxes(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Left, bottom, right and top of these, of others and where there is none NaN; a row for each character.

        A box is as high as the font and as wide as it moves the next character.
        """
        boxes = np.full((self.count, 4), np.nan, np.float32)
        start = boxes.ctypes.data
        deque(map(_GET_BOX, repeat(self._page), indices.tolist(), (start + 16 * indices).tolist()), 0)
        return boxes[:, [0, 3, 2, 1]]

    def code(self, index: int) -> int:
        """The character, or the half of a pair, as a number; 0 where the file does not say what a glyph means."""
        found: int = _GET_UNICODE(self._page, index)
        return found

    def angle(self, index: int) -> float:
        """The angle of the line it stands in, in radians; below 0 where there is none."""
        found: float = _GET_ANGLE(self._page, index)
        return found

    def size(self, index: int) -> float:
        """The size of its font as it is shown, in points."""
        size: float = _GET_SIZE(self._page, index)
        if not _GET_MATRIX(self._page, index, ctypes.addressof(self._matrix)):
            return size
        return size * hypot(self._matrix.c, self._matrix.d)

    def is_bold(self, index: int) -> bool:
        """Whether its font calls itself bold."""
        text_object = _GET_OBJECT(self._page, index)
        font = _GET_FONT(text_object) if text_object else None
        if font is None:
            return False
        if font not in self._bold_fonts:
            name = ctypes.create_string_buffer(200)
            _GET_FONT_NAME(font, ctypes.addressof(name), len(name))
            self._bold_fonts[font] = any(weight in name.value.lower() for weight in _BOLD)
        return self._bold_fonts[font]


@contextmanager
def opened_characters(page: Any) -> Iterator[Characters]:
    """The characters of an open page as long as the context."""
    text_page = page.get_textpage()
    try:
        yield Characters(text_page)
    finally:
        text_page.close()


def _plain(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of the library that takes pointers as numbers: to check their types takes longer than what it does."""
    return ctypes.PYFUNCTYPE(result, *arguments)(ctypes.cast(function, ctypes.c_void_p).value or 0)


_UTF_16 = "utf-16-le" if byteorder == "little" else "utf-16-be"
_BOLD = (b"bold", b"black", b"heavy", b"demi")
_POINTER, _INDEX = ctypes.c_void_p, ctypes.c_int
_GET_TEXT = _plain(raw.FPDFText_GetText, ctypes.c_int, _POINTER, _INDEX, ctypes.c_int, _POINTER)
_GET_UNICODE = _plain(raw.FPDFText_GetUnicode, ctypes.c_uint, _POINTER, _INDEX)
_GET_BOX = _plain(raw.FPDFText_GetLooseCharBox, ctypes.c_int, _POINTER, _INDEX, _POINTER)
_GET_OBJECT = _plain(raw.FPDFText_GetTextObject, _POINTER, _POINTER, _INDEX)
_GET_ANGLE = _plain(raw.FPDFText_GetCharAngle, ctypes.c_float, _POINTER, _INDEX)
_GET_SIZE = _plain(raw.FPDFText_GetFontSize, ctypes.c_double, _POINTER, _INDEX)
_GET_MATRIX = _plain(raw.FPDFText_GetMatrix, ctypes.c_int, _POINTER, _INDEX, _POINTER)
_GET_FONT = _plain(raw.FPDFTextObj_GetFont, _POINTER, _POINTER)
_GET_FONT_NAME = _plain(raw.FPDFFont_GetBaseFontName, ctypes.c_size_t, _POINTER, _POINTER, ctypes.c_size_t)
