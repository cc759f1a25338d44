"""From an offset of the text back to the original: pages with their labels, and places more exact than a page."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import visible_texts

from ingest.document import Document
from ingest.places import Cells, MailPart, NotebookCell, PageMark, Place, Rectangle
from ingest.readers import read_documents
from ingest.readers.table import SUFFIXES, Reader
from ingest.readers.text import text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from library import Library

    from ingest.readers.raw_file import RawFile

PAGED = Reader("paged", "text in pages", __name__, (".paged",), boxed=False)
LINE_HEIGHT, CHARACTER_WIDTH, TOP = 12.0, 6.0, 800.0


def read(file: RawFile) -> Iterator[Document]:
    """The reader of PAGED: pages end with a form feed, the first two are numbered in Roman numerals, a line is a place."""
    pages = file.data.decode().split("\f")
    text, marks, found = "", [], []
    for number, page in enumerate(pages, start=1):
        if page:
            marks.append(PageMark(len(text), number, {1: "i", 2: "ii"}.get(number, "")))
        for row, line in enumerate(page.split("\n")):
            if line:
                bottom = TOP - row * LINE_HEIGHT
                box = Rectangle(number, 0.0, bottom, len(line) * CHARACTER_WIDTH, bottom + LINE_HEIGHT)
                found.append(Place(len(text), len(text) + len(line), box))
            text += line + "\n"
    yield file.document(text, text_blocks(text), converted=True, page_marks=marks, places=found)


@pytest.fixture
def location(tmp_path: Path) -> str:
    """The engine in this process only: what a page is does not depend on it."""
    return str(tmp_path / "store")


def document(text: str, page_marks: tuple[PageMark, ...] = (), found: tuple[Place, ...] = ()) -> Document:
    return Document("a", "paged", "a", text, (), "", "", 0, converted=True, page_marks=page_marks, places=found)


def piece(start: int, end: int, number: int = 1) -> Place:
    return Place(start, end, NotebookCell(number))


# Pages


def test_an_offset_is_on_the_page_whose_mark_is_the_last_before_it() -> None:
    marked = document("0123456789", (PageMark(2, 1, "iv"), PageMark(5, 2), PageMark(7, 9, "A-3")))
    assert [marked.page_at(offset) for offset in range(10)] == [0, 0, 1, 1, 1, 2, 2, 9, 9, 9]
    assert [marked.page_label_at(offset) for offset in (0, 2, 4, 5, 9)] == ["", "iv", "iv", "2", "A-3"]


def test_a_document_without_marks_has_no_pages() -> None:
    assert (document("abc").page_at(1), document("abc").page_label_at(1)) == (0, "")


@pytest.mark.parametrize("offsets", [(2, 1), (1, 1), (3,), (0, 4)])
def test_marks_that_are_not_in_order_within_the_text_are_refused(offsets: tuple[int, ...]) -> None:
    marks = tuple(PageMark(offset, number) for number, offset in enumerate(offsets, start=1))
    with pytest.raises(ValueError, match=r"a: page \d begins at \d, which is not after"):
        document("abc", marks)


# Places


def test_a_span_lies_in_the_places_that_hold_some_of_it() -> None:
    first, second, third = piece(0, 3), piece(3, 5, 2), piece(7, 9, 3)
    placed = document("0123456789", found=(first, second, third))
    assert placed.places_of(0, 10) == (first, second, third)
    assert placed.places_of(1, 2) == (first,)
    assert placed.places_of(2, 4) == (first, second)
    assert placed.places_of(3, 5) == (second,)
    assert placed.places_of(5, 7) == ()
    assert placed.places_of(4, 8) == (second, third)
    assert placed.places_of(9, 10) == ()


@given(st.lists(st.integers(0, 40), max_size=12, unique=True).map(sorted), st.integers(0, 40), st.integers(1, 40))
def test_places_are_found_as_by_looking_at_each(ends: list[int], start: int, length: int) -> None:
    found = tuple(piece(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False))
    expected = tuple(place for place in found if place.start < start + length and place.end > start)
    assert document("x" * 40, found=found).places_of(start, start + length) == expected


def test_places_that_overlap_or_end_beyond_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the place of 1\.\.3 overlaps that up to 2"):
        document("abc", found=(piece(0, 2), piece(1, 3)))
    with pytest.raises(ValueError, match=r"the place of 0\.\.1 overlaps that up to 2"):
        document("abc", found=(piece(1, 2), piece(0, 1)))
    with pytest.raises(ValueError, match="a place ends at 4, beyond the text of 3 characters"):
        document("abc", found=(piece(0, 4),))


@pytest.mark.parametrize(
    "make",
    [
        lambda: PageMark(-1, 1),
        lambda: PageMark(0, 0),
        lambda: piece(1, 1),
        lambda: piece(-1, 1),
        lambda: NotebookCell(0),
        lambda: Rectangle(0, 0, 0, 1, 1),
        lambda: Rectangle(1, 2, 0, 1, 1),
        lambda: Rectangle(1, 0, 2, 1, 1),
        lambda: Rectangle(1, 0, 0, math.nan, 1),
        lambda: Rectangle(1, 0, 0, 1, math.inf),
        lambda: Cells("a", 0, 1, 1, 1),
        lambda: Cells("a", 2, 1, 1, 1),
        lambda: Cells("a", 1, 3, 1, 2),
        lambda: MailPart(""),
        lambda: MailPart("1."),
        lambda: MailPart("0"),
        lambda: MailPart("1.a"),
    ],
)
def test_a_place_that_cannot_be_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()  # type: ignore[operator]


# A format with pages


PAGES = "the cat\nsat here\n\f\fthe dog\n\fthe mat " + "one two three " * 150


@pytest.fixture(autouse=True)
def with_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".paged", PAGED)


def test_each_line_of_a_page_is_where_its_place_says(tmp_path: Path) -> None:
    (tmp_path / "a.paged").write_text(PAGES)
    (found,) = read_documents(tmp_path / "a.paged", "a.paged")
    start = found.text.index("sat")
    (place,) = found.places_of(start, start + 3)
    assert place.where == Rectangle(1, 0.0, 788.0, 48.0, 800.0)
    assert found.text[place.start : place.end] == "sat here"
    assert found.page_label_at(start) == "i"
    assert found.page_label_at(found.text.index("dog")) == "3"


def test_the_page_that_a_chunk_begins_on_is_stored_and_found_with_it(library: Library) -> None:
    library.write("a.paged", PAGES)
    library.write("b.txt", "the fox")
    library.sync()
    assert len(visible_texts(library.store)) == 2
    paged, plain = library.store.snapshot().documents()
    hits = library.store.snapshot().document_chunks([paged.document_id, plain.document_id])
    assert next((hit.page, hit.text[:7]) for hit in hits if hit.source.endswith("a.paged")) == (1, "the cat")
    assert {hit.page for hit in hits if hit.source.endswith("a.paged") and hit.start > 40} == {4}
    assert [hit.place()["page"] for hit in hits if hit.source.endswith("b.txt")] == [None]
    (document,) = read_documents(library.folder / "a.paged", "a.paged")
    assert all(hit.page == document.page_at(hit.start) for hit in hits if hit.source.endswith("a.paged"))


@pytest.mark.parametrize("name", ["a.paged", "a.md", "a.html", "a.rst", "a.py", "a.txt"])
def test_a_document_can_be_given_to_another_process(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("---\nyear: 1998\n---\n\n<p>the cat</p>\n\fthe dog\n")
    (found,) = read_documents(tmp_path / name, name)
    copied = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    assert copied == found
    assert copied.line_at(len(found.text)) == found.line_at(len(found.text))
