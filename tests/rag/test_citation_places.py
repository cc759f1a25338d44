"""A citation of a converted format says where its text stands in the original, as people look it up and as a viewer marks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import hash_encoder

import ingest
from ingest.places import Cells, PageMark, Place, Rectangle
from ingest.readers.table import SUFFIXES, Reader
from ingest.readers.text import text_blocks
from rag.answer.answer import Answer, Citation
from rag.answer.events import Finished
from rag.commands.ask import answer_record, hit_record, show_answer, show_hits
from rag.langchain.documents import read_document
from rag.library import Library
from sql.store import Store
from sql.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from rag.text.tokenizer import Tokenizer

PLACED = Reader("placed", "text with places", __name__, (".paged", ".sheet"), boxed=False)
PAGES = "One two three.\n\fThe cat sat on the mat.\n"
SHEET = "one two\nthree one\n"
PAGED_ONLY = {"source": "docs/a.paged"}
SECOND_PAGE = Rectangle(2, 72.0, 700.0, 200.123, 712.0)  # not a number that Float32 can hold


def read(file: RawFile) -> Iterator[Document]:
    """The reader of PLACED: form feeds end pages i and ii, whose sentences are places; each line of a sheet is a row."""
    text = file.data.decode()
    if file.name.endswith(".sheet"):
        lines = [(offset, text.index("\n", offset)) for offset in (0, text.index("\n") + 1)]
        places = [Place(start, end, Cells("Budget", row, 1, row, 2)) for row, (start, end) in enumerate(lines, start=2)]
        yield file.document(text, text_blocks(text), converted=True, places=places)
        return
    second = text.index("\f") + 1
    marks = [PageMark(0, 1, "i"), PageMark(second, 2, "ii")]
    places = [Place(0, 14, Rectangle(1, 72.0, 700.0, 150.0, 712.0)), Place(second, len(text) - 1, SECOND_PAGE)]
    yield file.document(text, text_blocks(text), converted=True, page_marks=marks, places=places)


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A library of a paged document, a sheet and a plain text."""
    for suffix in PLACED.suffixes:
        monkeypatch.setitem(SUFFIXES, suffix, PLACED)
    encoder, _ = hash_encoder(tokenizer)
    (tmp_path / "docs").mkdir()
    for name, text in (("a.paged", PAGES), ("b.sheet", SHEET), ("c.txt", "The dog runs.\n")):
        (tmp_path / "docs" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    with Library(Store.open(str(tmp_path / "store"), write=True), lambda: encoder) as opened:
        ingest.sync(opened, ["docs"])
        yield opened


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many spans each statement that reads places was asked for."""
    asked: list[int] = []
    read_places = Snapshot.span_places
    monkeypatch.setattr(
        Snapshot, "span_places", lambda self, spans: asked.append(len(spans)) or read_places(self, spans)
    )
    return asked


def test_a_citation_is_on_the_page_of_its_own_sentence_and_not_of_its_chunk(library: Library) -> None:
    answer = library.ask("The cat sat on the mat.", filter=PAGED_ONLY)
    (citation, *_) = [one for one in answer.citations if "mat" in one.text]
    assert (citation.page, citation.page_label, citation.place_name) == (2, "ii", "page ii")
    (page, rectangle) = (place.record() for place in citation.places)
    assert (page["label"], rectangle["page"], rectangle["right"]) == ("ii", 2, 200.12)
    (hit,) = library.search("the cat sat on the mat", k=1, filter=PAGED_ONLY)
    assert (hit.page, hit.page_label, hit.place_name) == (1, "i", "pages i to ii")
    assert len(hit.places) == 4


def test_the_sentence_of_an_answer_that_is_withheld_has_its_places(library: Library) -> None:
    withheld = library.ask("The cat sat on the mat.", filter=PAGED_ONLY, min_confidence=1)
    assert isinstance(withheld, Answer)
    assert not withheld.answered
    assert withheld.nearest is not None
    assert (withheld.nearest.place_name, len(withheld.nearest.places)) == ("page ii", 2)
    streamed = [*library.ask_stream("The cat sat on the mat.", filter=PAGED_ONLY, min_confidence=1)][-1]
    assert isinstance(streamed, Finished)
    assert streamed.answer == withheld


def test_people_read_a_page_or_cells_where_plain_text_has_a_line(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    show_hits(library.search("the dog cat one two three", k=3))
    shown = capsys.readouterr().out
    assert "docs/a.paged, pages i to ii\n" in shown
    assert "docs/b.sheet, Budget!A2:B3\n" in shown
    assert "docs/c.txt:1\n" in shown
    show_answer(library.ask("The cat sat on the mat.", filter=PAGED_ONLY))  # type: ignore[arg-type]
    assert "docs/a.paged, page ii\n" in capsys.readouterr().out


def test_spaces_within_a_line_of_code_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    code = ">>> @frozen\n... class C:\n...     x: int"
    show_answer(Answer("?", (Citation("a.md", 0, len(code), 1, 0, "", code, 1.0, lines=True),)))
    assert capsys.readouterr().out == f"{code} [1]\n\n[1] a.md:1\n"


def test_json_has_the_label_and_every_place_beside_what_it_had(library: Library) -> None:
    (hit,) = [hit_record(hit) for hit in library.search("one two", k=3) if hit.source == "docs/b.sheet"]
    assert hit["place_name"] == "Budget!A2:B3"
    assert (hit["page"], hit["page_label"]) == (None, None)
    assert hit["places"] == [
        {"kind": "cells", "start": 0, "end": 7, "sheet": "Budget", "cells": "A2:B2"},
        {"kind": "cells", "start": 8, "end": 17, "sheet": "Budget", "cells": "A3:B3"},
    ]
    citations = answer_record(library.ask("The cat sat on the mat.", filter=PAGED_ONLY))["citations"]
    (found,) = [one for one in citations if "mat" in one["text"]]
    assert (found["page"], found["page_label"], found["place_name"]) == (2, "ii", "page ii")
    rectangle = {"page": 2, "left": 72.0, "bottom": 700.0, "right": 200.12, "top": 712.0}
    assert found["places"] == [
        {"kind": "page", "start": 16, "end": 40, "page": 2, "label": "ii"},
        {"kind": "rectangle", "start": 16, "end": 39} | rectangle,
    ]


def test_a_document_of_langchain_has_them_in_its_metadata(library: Library) -> None:
    documents = {one.metadata["source"]: one.metadata for one in map(read_document, library.search("one", k=3))}
    assert documents["docs/b.sheet"]["place_name"] == "Budget!A2:B3"
    assert documents["docs/a.paged"]["page_label"] == "i"
    assert documents["docs/c.txt"]["places"] == []


def test_places_are_read_in_one_statement_for_what_is_cited_and_in_none_where_there_are_none(
    library: Library, statements: list[int]
) -> None:
    library.search("one two", k=3)
    answer = library.ask("The cat sat on the mat.", filter=PAGED_ONLY)
    assert statements == [2, len(answer.citations)]
    statements.clear()
    only_plain = {"source": "docs/c.txt"}
    assert library.search("the dog", filter=only_plain)
    assert library.ask("The dog runs.", filter=only_plain).answered
    assert statements == []
