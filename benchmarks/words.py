"""The words of office files, books, mails and notebooks as other libraries read them, looked for in what is read here.

    python benchmarks/words.py FOLDER [--show]

Nothing that such a library reads may be missing: python-docx (paragraphs and cells), python-pptx (text of shapes, cells and
notes), odfpy (paragraphs and headings), openpyxl (texts of cells), the standard library (chapters of a book by its HTML
parser, mails, cells of notebooks). Nothing may come more often than it stands in the file: in Word files and presentations
than in all XML of the package, else than those libraries read. A difference that the file's kind explains (a merged cell
stands in each of its rows, a number of a list stands in no text) is listed all the same: --show tells the words.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import json
import logging
import re
import sys
import warnings
import zipfile
from collections import Counter
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from lxml import etree

from ingest.readers import documents_of, reader_of
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_WORD = re.compile(r"[^\W\d_]+")
_SHOWN = 12


def main() -> None:
    """Prints a line for each file with a difference, and one for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder with such files, searched to its depth, or a file")
    parser.add_argument("--show", action="store_true", help="show which words are missing or come too often")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    totals: dict[str, Counter[str]] = {}
    for path in sorted(options.folder.rglob("*")) if options.folder.is_dir() else [options.folder]:
        suffix = path.suffix.lower()
        if path.is_file() and suffix in LIBRARIES:
            totals.setdefault(suffix, Counter()).update(compared(path, options.show))
    for suffix, found in totals.items():
        print(
            f"{suffix[1:]}: {found['files']} files, {found['words']} words, {found['missing']} missing, "
            f"{found['doubled']} too often; passed over: {found['refused']} refused here, {found['unread']} unread there"
        )


def compared(path: Path, show: bool) -> Counter[str]:
    """What is counted of one file."""
    data = path.read_bytes()
    try:
        ours = words(read_here(path.name, data))
    except UnreadableDocument:
        return Counter(refused=1)
    library = LIBRARIES[path.suffix.lower()]
    try:
        least, most = words(library(data)), words(everything(path.suffix.lower(), library, data))
    except Exception as error:  # each library raises its own kinds
        if show:
            print(f"{path}: unread: {type(error).__name__}: {str(error)[:100]}")
        return Counter(unread=1)
    missing, doubled = least - ours, ours - most
    if missing or doubled:
        print(f"{path}: {missing.total()} of {least.total()} words missing, {doubled.total()} too often")
        for name, kind in (("missing", missing), ("too often", doubled)):
            if show and kind:
                print(f"    {name}: {' '.join(f'{word} ({count})' for word, count in kind.most_common(_SHOWN))}")
    return Counter(files=1, words=least.total(), missing=missing.total(), doubled=doubled.total())


def words(texts: Iterable[str]) -> Counter[str]:
    """The words of letters in these texts."""
    return Counter(word for text in texts for word in _WORD.findall(text))


def read_here(name: str, data: bytes) -> Iterator[str]:
    """The texts of a file and of what is enclosed in it."""
    reader = reader_of(PurePath(name))
    assert reader is not None
    for document in documents_of(RawFile(name, name, reader.format, data), reader):
        yield document.text


def everything(suffix: str, library: Callable[[bytes], Iterable[str]], data: bytes) -> Iterable[str]:
    """All texts that a file can show, else what the library reads."""
    if suffix in {".docx", ".pptx"}:
        return xml_texts(data)
    if suffix == ".eml":
        return mail_texts(email.message_from_bytes(data, policy=email.policy.default))
    return json_texts(json.loads(data)) if suffix == ".ipynb" else library(data)


def mail_texts(message: Any) -> Iterator[str]:
    """Headers and texts of a mail and of all its parts."""
    for part in message.walk():
        yield from (f"{name} {value}" for name, value in part.items())
        if part.get_content_maintype() == "text":
            yield part.get_content()


def json_texts(value: Any) -> Iterator[str]:
    """Every text in a value; the lines of one as one."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from json_texts(inner)
    elif isinstance(value, list):
        if all(isinstance(line, str) for line in value):
            yield "".join(value)
        else:
            for inner in value:
                yield from json_texts(inner)
    elif isinstance(value, str):
        yield value


def xml_texts(data: bytes) -> Iterator[str]:
    """The text of each paragraph in the XML of a package."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.endswith(".xml"):
                root = etree.fromstring(archive.read(name), etree.XMLParser(huge_tree=True, resolve_entities=False))
                for paragraph in root.iter("{*}p", "{*}ser", "{*}title"):
                    yield "".join(_runs(paragraph, paragraph))


def _runs(element: Any, paragraph: Any) -> Iterator[str]:
    for child in element:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name in {"t", "v"}:
            yield child.text or ""
        elif name in {"tab", "br", "cr", "fld"}:
            yield " "
            yield from _runs(child, paragraph)
        elif name and name != "p":
            yield from _runs(child, paragraph)


def with_python_docx(data: bytes) -> Iterator[str]:
    """Paragraphs and cells, each cell once."""
    import docx

    def of(container: Any) -> Iterator[str]:
        for item in container.iter_inner_content():
            if hasattr(item, "rows"):
                seen = set()
                for row in item.rows:
                    for cell in row.cells:
                        if cell._tc not in seen:
                            seen.add(cell._tc)
                            yield from of(cell)
            else:
                yield item.text

    return of(docx.Document(BytesIO(data)))


def with_python_pptx(data: bytes) -> Iterator[str]:
    """Texts of shapes, cells and notes."""
    from pptx import Presentation

    def of(shapes: Any) -> Iterator[str]:
        for shape in shapes:
            if shape.shape_type == 6:
                yield from of(shape.shapes)
            elif shape.has_text_frame and not (shape.is_placeholder and shape.placeholder_format.type in _FURNITURE):
                yield from (paragraph.text for paragraph in shape.text_frame.paragraphs)
            elif getattr(shape, "has_table", False) and shape.has_table:
                for row in shape.table.rows:
                    yield from (cell.text for cell in row.cells)

    for slide in Presentation(BytesIO(data)).slides:
        yield from of(slide.shapes)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            yield slide.notes_slide.notes_text_frame.text


_FURNITURE = {13, 15, 16}  # numbers, footers and dates of slides


def with_odfpy(data: bytes) -> Iterator[str]:
    """Paragraphs and headings."""
    from odf import teletype, text
    from odf.opendocument import load

    body = load(BytesIO(data)).text
    for kind in (text.P, text.H):
        for element in body.getElementsByType(kind):
            if not _is_inside(element, {"tracked-changes"}):
                yield teletype.extractText(element)


def _is_inside(element: Any, names: set[str]) -> bool:
    while element is not None and getattr(element, "qname", None):
        if element.qname[1] in names:
            return True
        element = element.parentNode
    return False


def with_openpyxl(data: bytes) -> Iterator[str]:
    """The texts of cells, and the names of sheets."""
    import openpyxl

    book = openpyxl.load_workbook(BytesIO(data), data_only=True)
    for sheet in book.worksheets:
        cells = sheet._cells.values()  # iter_rows makes all up to the last, millions of them
        filled = [cell.value for cell in cells if isinstance(cell.value, str)]
        yield from filled
        yield sheet.title


class _Text(HTMLParser):
    """The text of a page, without scripts, styles and its head."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self._hidden += tag in {"script", "style", "head"}
        self.parts.append(
            " " if tag in {"br", "p", "div", "li", "td", "th", "tr", "h1", "h2", "h3", "dt", "dd"} else ""
        )

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "head"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def with_html_parser(data: bytes) -> Iterator[str]:
    """The chapters of a book in its spine."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        container = etree.fromstring(archive.read("META-INF/container.xml"))
        package = next(container.iter("{*}rootfile")).get("full-path")
        root = etree.fromstring(archive.read(package))
        items = {item.get("id"): item for item in root.iter("{*}item")}
        for reference in root.iter("{*}itemref"):
            item = items[reference.get("idref")]
            if "nav" in (item.get("properties") or "").split():
                continue
            parser = _Text()
            parser.feed(archive.read(str(PurePath(package).parent / item.get("href"))).decode())
            yield "".join(parser.parts)


def with_email(data: bytes) -> Iterator[str]:
    """The plain text of a mail, and its subject."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    yield str(message["subject"] or "")
    body = message.get_body(("plain",))  # type: ignore[attr-defined]
    if body is not None:
        yield body.get_content()


def with_json(data: bytes) -> Iterator[str]:
    """The cells of a notebook."""
    notebook = json.loads(data)
    for sheet in notebook.get("worksheets", [notebook]):
        for cell in sheet["cells"]:
            source = cell.get("source", cell.get("input", ""))
            yield "".join(source)


LIBRARIES: dict[str, Callable[[bytes], Iterator[str]]] = {
    ".docx": with_python_docx,
    ".pptx": with_python_pptx,
    ".odt": with_odfpy,
    ".xlsx": with_openpyxl,
    ".epub": with_html_parser,
    ".eml": with_email,
    ".ipynb": with_json,
}


if __name__ == "__main__":
    main()
