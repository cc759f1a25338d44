"""The words of every chunk of PDF files, looked for by another library in the rectangles that a citation of it points to.

    python benchmarks/places.py FOLDER [--pages N] [--seconds N] [--second PDFTOTEXT] [--show]

Each file is read and cut as an ingest does. Of every chunk, its text has to be the document's from its start to its end,
and each of its letters has to stand in a place. Of every place, pdfminer.six has to find the letters in its rectangle: as
they stand on the page, in the file's own coordinates, form values and notes too, which PDFium draws into a copy first. A
letter lies in a rectangle where its middle does, and capitals and small letters count alike. Two kinds are counted apart:
places where pdfminer finds as many glyphs, but calls some of them otherwise, as it does with fonts that it cannot decode;
and places of which it can say nothing: it knows no letter for glyphs there, or has such letters nowhere on the page.

--second names the program pdftotext of Poppler, which is asked where pdfminer finds too little: pdfminer puts letters
elsewhere where it does not know how wide those before are. Poppler tells the box of a word; its letters share it evenly.
"""

from __future__ import annotations

import argparse
import logging
import re
import signal
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from contextlib import contextmanager
from functools import cached_property
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.chunk import DEFAULT, split_document
from ingest.places import Rectangle
from ingest.readers.pdf.read import read
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ingest.document import Document
    from rag.text.tokenizer import Tokenizer

HELD, SECONDED, OTHERWISE, UNKNOWN, LOST = "held", "seconded", "otherwise", "unknown", "lost"
TOLERANCE = 0.02  # points: the store keeps hundredths
EVENLY = 0.5  # points more for letters that are said to share the box of their word evenly
_PAGE = re.compile(r'<page width="[\d.]+" height="([\d.]+)">(.*?)</page>', re.DOTALL)
_WORD = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>')


class Letters:
    """The letters of a page as another library finds them, and their middles."""

    def __init__(self, found: list[tuple[str, float, float]], tolerance: float = TOLERANCE) -> None:
        self.tolerance = tolerance
        self.texts = [text for text, _, _ in found]
        self.all = Counter(letter for text in self.texts for letter in plain(text))
        self.middles: NDArray[np.float64] = np.array([(x, y) for _, x, y in found]).reshape(-1, 2)

    def within(self, rectangle: Rectangle) -> tuple[Counter[str], int, int]:
        """What stands in a rectangle, how many glyphs there have no letter, and how many are signs."""
        if not len(self.middles):
            return Counter(), 0, 0
        x, y = self.middles.T
        inside = (rectangle.left - self.tolerance <= x) & (x <= rectangle.right + self.tolerance)
        inside &= (rectangle.bottom - self.tolerance <= y) & (y <= rectangle.top + self.tolerance)
        texts = [self.texts[number] for number in np.flatnonzero(inside)]
        letters = Counter(letter for text in texts for letter in plain(text))
        return letters, sum(not text for text in texts), sum(map(signs, texts))


class Second:
    """The pages of a file as Poppler's pdftotext sees them, asked for when they are needed."""

    def __init__(self, program: str, data: bytes) -> None:
        self._program, self._data = program, data

    @cached_property
    def pages(self) -> list[Letters]:
        """The letters of each page in the file's coordinates; none of a page that is turned."""
        import pypdfium2

        with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
            file.write(self._data)
            file.flush()
            command = [self._program, "-bbox", file.name, "-"]
            said = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=60, errors="replace"
            ).stdout
        document = pypdfium2.PdfDocument(self._data)
        told, found = _PAGE.findall(said), []
        for number, page in enumerate(document):
            height, words = told[number] if number < len(told) else ("0", "")  # it may have given up
            left, bottom, *_ = page.get_mediabox()
            letters = [] if page.get_rotation() else list(letters_of_words(words, left, bottom + float(height)))
            found.append(Letters(letters, EVENLY))
        return found

    def holds(self, text: str, rectangle: Rectangle) -> bool:
        """Whether a rectangle holds the letters of a text."""
        return bool(self._program) and not Counter(plain(text)) - self.pages[rectangle.page - 1].within(rectangle)[0]


def letters_of_words(words: str, left: float, top: float) -> Iterator[tuple[str, float, float]]:
    """The letters of the words of a page, which stand in boxes below its upper left corner."""
    for x_min, y_min, x_max, y_max, word in _WORD.findall(words):
        letters, y = unescape(word), top - (float(y_min) + float(y_max)) / 2
        step = (float(x_max) - float(x_min)) / max(len(letters), 1)
        for number, letter in enumerate(letters):
            yield letter, left + float(x_min) + (number + 0.5) * step, y


def main() -> None:
    """Prints a line for each file that has something to tell, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder with PDF files, searched to its depth, or a file")
    parser.add_argument("--pages", type=int, default=100, metavar="N", help="pass over longer files (default: 100)")
    parser.add_argument("--seconds", type=int, default=120, metavar="N", help="give up on a file after (default: 120)")
    parser.add_argument("--second", default="", metavar="PDFTOTEXT", help="Poppler's program, asked beside pdfminer")
    parser.add_argument("--show", action="store_true", help="show each place that does not hold its words")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # pdfminer tells of every fault that it mends
    tokenizer = default_tokenizer()
    paths = sorted(options.folder.rglob("*.pdf")) if options.folder.is_dir() else [options.folder]
    totals: Counter[str] = Counter()
    files = 0
    for path in paths:
        try:
            with time_limit(options.seconds):
                found = checked(path, tokenizer, options.pages, options.second, options.show)
        except Exception as error:  # pdfminer raises many kinds
            print(f"{path}: passed over: {type(error).__name__}: {str(error)[:100]}")
            continue
        files += bool(found["chunks"])
        totals += found
        if found[LOST] or found[OTHERWISE]:
            print(f"{path}: {described(found)}", flush=True)
    print(f"{files} files, {totals['chunks']} chunks, {described(totals)}")


def described(found: Counter[str]) -> str:
    """What was counted, in a sentence."""
    return (
        f"{found[HELD]} places hold their words, {found[SECONDED]} by the second library alone, {found[LOST]} do not, "
        f"{found[OTHERWISE]} are read otherwise, "
        f"{found[UNKNOWN]} cannot be checked"
    )


def default_tokenizer() -> Tokenizer:
    """That of the default encoder."""
    from rag.encoder.encoder import load_encoder
    from sql.base.settings import read_settings

    return load_encoder(read_settings()).tokenizer


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in what takes longer."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} seconds")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def checked(path: Path, tokenizer: Tokenizer, most_pages: int, second: str, show: bool) -> Counter[str]:
    """How many chunks a file has, and how many places of each kind."""
    data = path.read_bytes()
    counts: Counter[str] = Counter()
    try:
        (document,) = read(RawFile(path.name, path.name, "pdf", data))
    except UnreadableDocument:
        return counts
    if cast("int", document.metadata["pages"]) > most_pages:
        return counts
    chunks = split_document(document, tokenizer, DEFAULT.size, DEFAULT.overlap)
    drawn = with_notes_drawn(data) if chunks else b""
    pages, asked = letters_of_pages(drawn) if chunks else [], Second(second, drawn)
    verdicts: dict[int, str] = {}
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        check_covered(document, chunk.start, chunk.end)
        for place in document.places_of(chunk.start, chunk.end):
            if place.start not in verdicts:
                assert isinstance(place.where, Rectangle)
                text = document.text[place.start : place.end]
                verdicts[place.start] = verdict(text, place.where, pages, asked, path.name if show else "")
    return counts + Counter({"chunks": len(chunks)}) + Counter(verdicts.values())


def check_covered(document: Document, start: int, end: int) -> None:
    """Fails where a letter of text[start:end] stands in no place."""
    covered = bytearray(end - start)
    for place in document.places_of(start, end):
        first, last = max(place.start, start), min(place.end, end)
        covered[first - start : last - start] = b"\1" * (last - first)
    bare = [letter for letter, is_covered in zip(document.text[start:end], covered, strict=True) if not is_covered]
    assert not any(map(str.isalnum, bare)), bare


def verdict(text: str, rectangle: Rectangle, pages: list[Letters], second: Second, shown: str) -> str:
    """Whether a rectangle holds the letters of a text."""
    letters = pages[rectangle.page - 1] if rectangle.page <= len(pages) else None
    if letters is None or not len(letters.middles):
        return SECONDED if second.holds(text, rectangle) else UNKNOWN
    held, unknown, others = letters.within(rectangle)
    wanted = Counter(plain(text))
    missing = wanted - held
    if not missing:
        return HELD
    if second.holds(text, rectangle):
        return SECONDED
    if missing.total() <= unknown or wanted - letters.all:
        return UNKNOWN
    others = max(others - signs(text), 0) + (held - wanted).total() + unknown
    found = OTHERWISE if missing.total() <= others else LOST
    if shown:
        print(f"  {found} {shown} {rectangle}: {text!r} misses {''.join(missing.elements())!r}, {unknown} unknown")
    return found


def plain(text: str) -> str:
    """The letters and digits of a text, each in its plain form, without accents and small."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", bare).casefold()))


def signs(text: str) -> int:
    """How many characters are neither letters nor digits nor spaces."""
    return sum(not each.isalnum() and not each.isspace() for each in text)


def with_notes_drawn(data: bytes) -> bytes:
    """The file with the values of its forms and its notes in the pages themselves, where pdfminer can read them."""
    import pypdfium2
    from pypdfium2 import raw

    document = pypdfium2.PdfDocument(data)
    document.init_forms()
    flattened = [raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) for page in document]
    if raw.FLATTEN_SUCCESS not in flattened:
        return data
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def letters_of_pages(data: bytes) -> list[Letters]:
    """What pdfminer finds on each page."""
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
    from pdfminer.pdfpage import PDFPage

    resources = PDFResourceManager()
    device = PDFPageAggregator(resources, laparams=None)
    interpreter = PDFPageInterpreter(resources, device)
    pages = []
    for page in PDFPage.get_pages(BytesIO(data), check_extractable=False):
        page.rotate = 0  # places are those of the page before it is turned
        interpreter.process_page(page)
        pages.append(Letters(list(letters_in(device.get_result(), page.mediabox[0], page.mediabox[1]))))
    return pages


def letters_in(item: Any, left: float, bottom: float) -> Iterator[tuple[str, float, float]]:
    """The letters in what pdfminer found, "" for a glyph without one, and their middles in the file's coordinates."""
    from pdfminer.layout import LTChar

    if isinstance(item, LTChar):
        text = item.get_text()
        x, y = (item.x0 + item.x1) / 2 + left, (item.y0 + item.y1) / 2 + bottom
        yield "" if text.startswith("(cid:") else text, x, y
    elif hasattr(item, "__iter__"):
        for inner in item:
            yield from letters_in(inner, left, bottom)


if __name__ == "__main__":
    main()
