"""PDF in, its text in reading order out, with the page and the rectangle of every line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.document import Block, HeadingPath, bounded_heading
from ingest.places import PageMark, Place, Rectangle
from ingest.readers.pdf.furniture import set_apart
from ingest.readers.pdf.headings import find_headings
from ingest.readers.pdf.hyphens import LineEnds
from ingest.readers.pdf.layout import PageLayout, page_layout
from ingest.readers.pdf.paragraphs import Paragraph, body_size, paragraphs
from ingest.readers.pdf.pdfium import opened, opened_to_read, shows_something, visible_box
from ingest.readers.pdf.pieces import pieces_of, without_notes
from ingest.readers.pdf.recognise import recognised
from ingest.readers.pdf.tables import table_cells
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ingest.document import Document
    from ingest.readers.pdf.pdfium import PdfFile
    from ingest.readers.pdf.pieces import Piece
    from ingest.readers.raw_file import RawFile
    from sql.records.metadata import MetadataValue

CELL_DIVIDER = " | "
_INFORMATION = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}
_PROGRAM = re.compile(
    r"^Microsoft (?:Word|PowerPoint|Excel)\s*-\s*|\.(?:docx?|pptx?|xlsx?|odt|tex|dvi|indd|qxd|pdf)$", re.IGNORECASE
)
_NO_TITLE = re.compile(
    r"(?:untitled|unbenannt|sans titre|document|title|slide|präsentation|presentation)?[\s\d]*", re.IGNORECASE
)
_CREATED = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?")
_SHOWN_PAGES = 10


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a PDF."""
    with opened(file.data, file.source) as pdf:
        pages, empty, damaged, recognised_pages = _pages(pdf, file.ocr)
        bookmarks = pdf.bookmarks()
        information = pdf.information
        page_count = pdf.page_count
    size = body_size(pages)
    set_apart(pages, size)
    found = paragraphs(pages)
    find_headings(found, bookmarks, size)
    writer = _Writer(pages)
    writer.write(found)
    yield file.document(
        writer.text,
        writer.blocks,
        title=_title(information, found),
        converted=True,
        page_marks=writer.marks,
        places=writer.places,
        metadata=_metadata(information, page_count, recognised_pages),
        remark=_remark(empty, damaged, page_count, file.ocr),
        unread_pictures=0 if file.ocr else len(empty),
    )


def _pages(pdf: PdfFile, ocr: bool) -> tuple[list[PageLayout], list[int], list[int], int]:
    """The layouts of the pages with text, the numbers of those that only show something and of those that are damaged.

    Last comes on how many pages text was recognised in pictures, where `ocr` asks for that.
    """
    pages: list[PageLayout] = []
    empty, damaged, recognised_pages = [], [], 0
    for number in range(1, pdf.page_count + 1):
        with opened_to_read(pdf, number) as (page, laid_over):
            if page is None:
                damaged.append(number)
                continue
            pieces = pieces_of(page)
            if not pieces and ocr and shows_something(page):
                pieces = recognised(page)
                recognised_pages += bool(pieces)
            if pieces:
                body, notes = without_notes(pieces, laid_over)
                pages.append(page_layout(number, body, visible_box(page), pdf.page_label(number), notes))
            elif shows_something(page):
                empty.append(number)
    return pages, empty, damaged, recognised_pages


class _Writer:
    """Puts paragraphs together: the text, its blocks, where pages begin, and where each piece of a line stands."""

    def __init__(self, pages: Sequence[PageLayout]) -> None:
        self.blocks: list[Block] = []
        self.marks: list[PageMark] = []
        self.places: list[Place] = []
        self._labels = {page.page: page.label for page in pages}
        self._ends = LineEnds(piece.text for page in pages for row in page.rows for piece in row.pieces)
        self._parts: list[str] = []
        self._length = 0
        self._page = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def write(self, found: Sequence[Paragraph]) -> None:
        """Writes them one after the other."""
        path = HeadingPath()
        for paragraph in found:
            if self._length:
                self._add("\n\n")
            start = self._length
            (self._table if paragraph.kind == "table" else self._lines)(paragraph)
            heading = path.path
            if paragraph.kind == "heading":
                heading = path.enter(paragraph.level, bounded_heading("".join(self._parts[self._first :])))
            self.blocks.append(Block(start, self._length, paragraph.kind, heading))

    def _lines(self, paragraph: Paragraph) -> None:
        """A paragraph on one line, divided words in one piece."""
        self._first = len(self._parts)
        self._joined([(page, piece) for page, row in paragraph.rows for piece in row.pieces])

    def _joined(self, pieces: Sequence[tuple[int, Piece]]) -> None:
        for number, (page, piece) in enumerate(pieces):
            following = pieces[number + 1][1].text if number + 1 < len(pieces) else ""
            shown, between = self._ends.between(piece.text, following)
            self._place(page, piece, shown)
            if following:
                self._add(between)

    def _table(self, paragraph: Paragraph) -> None:
        """A line for each row, its cells divided, the lines of a cell joined."""
        for number, row in enumerate(table_cells(paragraph.rows)):
            if number:
                self._add("\n")
            for column, cell in enumerate(row):
                if column:
                    self._add(CELL_DIVIDER)
                self._joined(cell)

    def _place(self, page: int, piece: Piece, shown: str) -> None:
        if not shown:
            return
        if page != self._page:
            label = self._labels[page]
            self.marks.append(PageMark(self._length, page, "" if label == str(page) else label))
            self._page = page
        self.places.append(Place(self._length, self._length + len(shown), Rectangle(page, *piece.box)))
        self._add(shown)

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


def _title(information: Mapping[str, str], found: Sequence[Paragraph]) -> str:
    """What the file calls itself, unless a program made that up; else the largest heading of its first page."""
    title = _PROGRAM.sub("", " ".join(information.get("Title", "").split()))
    if title and not _NO_TITLE.fullmatch(title):
        return bounded_heading(title)
    first = found[0].rows[0][0] if found else 0
    headings = [paragraph for paragraph in found[:20] if paragraph.kind == "heading" and paragraph.rows[0][0] == first]
    largest = max(headings, key=lambda paragraph: paragraph.size, default=None)
    return bounded_heading(largest.text.replace("\x02", "-")) if largest else ""


def _metadata(information: Mapping[str, str], page_count: int, recognised_pages: int) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        name: " ".join(information[key].split())[:1000] for key, name in _INFORMATION.items() if key in information
    }
    created = _CREATED.match(information.get("CreationDate", ""))
    if created:
        metadata["created"] = "-".join(part for part in created.groups() if part)
    metadata["pages"] = page_count
    if recognised_pages:
        metadata["recognised_pages"] = recognised_pages
    return metadata


def _remark(empty: Sequence[int], damaged: Sequence[int], page_count: int, ocr: bool) -> str:
    remarks = []
    if empty:
        verb = "has" if len(empty) == 1 else "have"
        remedy = "" if ocr else ": --ocr reads pictures of text, with pip install 'int8-rag[ocr]'"
        remarks.append(
            f"{len(empty)} of {counted(page_count, 'page')} {verb} no text but pictures ({_listed(empty)}){remedy}"
        )
    if damaged:
        verb = "is" if len(damaged) == 1 else "are"
        remarks.append(
            f"{len(damaged)} of {counted(page_count, 'page')} {verb} damaged and left out ({_listed(damaged)})"
        )
    return "; ".join(remarks)


def _listed(pages: Sequence[int]) -> str:
    shown = ", ".join(map(str, pages[:_SHOWN_PAGES])) + (" ..." if len(pages) > _SHOWN_PAGES else "")
    return f"page{'s' if len(pages) > 1 else ''} {shown}"
