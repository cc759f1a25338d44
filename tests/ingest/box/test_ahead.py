"""What processes read ahead is what the caller would have read, in the same order, and never too much of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest
from mischief import MISCHIEF

from ingest.box import ahead
from ingest.box.ahead import ReadAhead
from ingest.box.worker import Chunking
from ingest.chunk import split_document
from ingest.readers import read_documents
from ingest.readers.table import SUFFIXES, reader_of
from ingest.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

    from library import Library

    from ingest.found_files import FoundFile
    from rag.text.tokenizer import Tokenizer

ROWS = "SELECT row_hash, term FROM chunks LEFT JOIN postings USING (generation, chunk_index) ORDER BY ALL"
TEXTS = {
    "a.md": "# One\n\nThe cat sat on the mat.\n\n- one\n- two\n" * 20,
    "b.html": "<h1>Two</h1><p>The dog runs here.</p>" * 20,
    "c.txt": "",
    "d.csv": "one,two\ncat,dog\n" * 20,
    "e.txt": "the \x00 cat",
    "f.rst": "Three\n=====\n\nThe cat::\n\n    runs\n",
}


@pytest.fixture
def location(tmp_path: Path) -> str:
    """The engine in this process only: what is read does not depend on it."""
    return str(tmp_path / "store")


def files(tmp_path: Path, **texts: str) -> list[FoundFile]:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return list(walk([str(folder)]).files)


def test_processes_read_and_cut_what_the_caller_would(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files(tmp_path, **TEXTS)
    split = partial(split_document, tokenizer=tokenizer, max_tokens=40, overlap_tokens=5)
    with ReadAhead(found, split) as readings:
        assert not readings._threads  # so few bytes of text start no process
        expected = list(readings)
    assert [reading.file for reading in expected] == found

    boxed = {suffix: replace(reader, boxed=True) for suffix, reader in SUFFIXES.items()}
    monkeypatch.setattr("ingest.readers.table.SUFFIXES", boxed)
    with ReadAhead(found, split, lambda: Chunking.by(tokenizer, 40, 5), processes=2) as readings:
        read = list(readings)
    for one, other in zip(read, expected, strict=True):
        assert (one.contents, str(one.failure)) == (other.contents, str(other.failure))


@pytest.mark.parametrize(
    ("wanted", "languages"),
    [("auto", ["en", None, None, None]), ("de", ["de", "de", "de", None]), (None, [None] * 4)],
)
def test_words_are_made_with_the_chunks_where_a_document_shows_its_language_by_itself(
    tmp_path: Path, tokenizer: Tokenizer, wanted: str | None, languages: list[str | None]
) -> None:
    texts = {"a.txt": "The cat is on the mat.", "b.txt": "in", "c.txt": "xylophone", "d.txt": ""}  # "in" is German too
    split = Chunking.by(tokenizer, 40, 5, wanted).splitter()
    contents = [
        split(document) for file in files(tmp_path, **texts) for document in read_documents(file.path, file.source)
    ]
    assert [content.words[0].language if content.words else None for content in contents] == languages
    assert all(len(content.words) == len(content.chunks or ()) for content in contents if content.words)


def test_the_rows_of_a_store_are_the_same_whoever_reads(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in TEXTS.items():
        library.write(name, text)
    library.sync()
    expected = library.store.client.text(ROWS, "TSV")
    for name in TEXTS:
        (library.folder / name).unlink()
    library.sync()
    library.store.garbage.collect(grace_seconds=0)
    monkeypatch.setattr(ahead, "FEW_BYTES", -1)
    for name, text in TEXTS.items():
        library.write(name, text)
    library.sync()
    assert library.store.client.text(ROWS, "TSV") == expected
    assert expected.count(b"\n") >= 20


def test_reading_does_not_run_away_from_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)
    monkeypatch.setattr(ahead, "MOST_FILES_AHEAD", 3)
    found = files(tmp_path, **{f"{number:02}.mischief": f"say {number}" for number in range(12)})
    most = 0
    with ReadAhead(found, processes=2) as readings:
        for number, reading in enumerate(readings):
            with readings._turn:
                most = max(most, readings._next - number)
            assert reading.documents()[0][0].text == str(number)
    assert most <= 4


def test_of_large_files_fewer_are_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)
    monkeypatch.setattr(ahead, "MOST_BYTES_AHEAD", 1500)
    found = files(tmp_path, **{f"{number}.mischief": "many 1" for number in range(8)})
    with ReadAhead(found, processes=1) as readings:
        for _ in readings:
            with readings._turn:
                waiting = [result for result in readings._done.values() if isinstance(result, list)]
            assert len(waiting) <= 2


def test_where_no_process_can_be_started_text_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)
    found = files(tmp_path, **{"a.txt": "cat", "b.mischief": "say dog", "c.txt": "mat"})
    with ReadAhead(found) as readings:
        first, second, third = readings
    assert [one.documents()[0][0].text for one in (first, third)] == ["cat", "mat"]
    assert str(second.failure).endswith(
        "b.mischief cannot be read: no process for it can be started (No such file or directory)"
    )


def test_nothing_is_left_running_when_the_caller_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)
    found = files(tmp_path, **{"a.mischief": "say cat", "b.mischief": "sleep 3600", "c.mischief": "say dog"})
    readings = ReadAhead(found, processes=2)
    with readings:
        assert next(iter(readings)).documents()[0][0].text == "cat"
    for thread in readings._threads:
        thread.join()
    assert not readings._running
    assert not [thread for thread in threading.enumerate() if thread.name == "reading" and thread in readings._threads]


def test_a_caller_who_waits_for_a_file_that_takes_long_can_be_told_to_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUFFIXES, ".mischief", MISCHIEF)
    found = files(tmp_path, **{"a.mischief": "say cat", "b.mischief": "sleep 3600", "c.mischief": "say dog"})
    with ReadAhead(found) as readings:
        given = iter(readings)
        next(given)
        teller = threading.Timer(0.1, readings.give_up)
        teller.start()
        assert list(given) == []
        teller.join()


def test_formats_of_other_programs_are_read_by_processes_only() -> None:
    unboxed = {"a.md", "a.rst", "a.html", "a.txt", "a.py", "a.csv", "a.json", "a.adoc"}
    for name in unboxed | {"a.pdf", "a.rtf", "a.svg", "a.docx", "a.xlsx", "a.epub", "a.eml"}:
        reader = reader_of(PurePath(name))
        assert reader is not None
        assert reader.boxed == (name not in unboxed), name
