"""Which reader a file gets, and that the reader, not the table, says whether the bytes are what the name promised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import run_python

from ingest.document import Block
from ingest.readers import read_documents
from ingest.readers.table import NAMES, READERS, SUFFIXES, Reader, readable_types, reader_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

BYTES = Reader("bytes", "bytes in hexadecimal", __name__, (".bin",))
TEXT_READERS = [reader for reader in READERS if reader.format in ("markdown", "rst", "html", "text", "code", "csv")]
A_PDF = b"%PDF-1.7\n\0\0\xff\xfe"


def read(file: RawFile) -> Iterator[Document]:
    """The reader of BYTES: what is no text for any other is one for it; of no bytes it makes no document."""
    text = file.data.hex(" ")
    if text:
        yield file.document(text, [Block(0, len(text), "code", "")], converted=True)


@pytest.fixture
def with_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUFFIXES, ".bin", BYTES)


def test_no_two_readers_claim_one_suffix_or_name() -> None:
    assert len(SUFFIXES) == sum(len(reader.suffixes) for reader in READERS)
    assert len(NAMES) == sum(len(reader.names) for reader in READERS)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES)
    assert all(name == name.lower() for name in NAMES)


@pytest.mark.parametrize("reader", TEXT_READERS, ids=lambda reader: reader.format)
def test_every_reader_of_text_in_the_table_reads_every_file_that_it_claims(reader: Reader, tmp_path: Path) -> None:
    for name in (*(f"a{suffix}" for suffix in reader.suffixes), *reader.names):
        (tmp_path / name.upper()).write_text("the cat")
        (document,) = read_documents(tmp_path / name.upper(), name)
        assert (document.format, document.text, document.source) == (reader.format, "the cat", name)


def test_a_name_counts_before_a_suffix() -> None:
    found = reader_of(Path("CMakeLists.txt"))
    assert found is not None
    assert found.format == "code"


@pytest.mark.usefixtures("with_bytes")
def test_a_reader_of_bytes_gets_what_readers_of_text_refuse(tmp_path: Path) -> None:
    for name in ("a.bin", "a.txt", "a.html", "a.md"):
        (tmp_path / name).write_bytes(A_PDF)
    (document,) = read_documents(tmp_path / "a.bin", "docs/a.bin")
    assert document.text == "25 50 44 46 2d 31 2e 37 0a 00 00 ff fe"
    assert (document.format, document.source, document.title, document.encoding) == ("bytes", "docs/a.bin", "a", "")
    assert document.content_bytes == len(A_PDF)
    for name in ("a.txt", "a.html", "a.md"):
        with pytest.raises(UnreadableDocument, match="is a PDF by its first bytes, not a text file as its name says"):
            read_documents(tmp_path / name, name)


@pytest.mark.usefixtures("with_bytes")
def test_a_file_in_which_its_reader_finds_no_document_is_one_without_text(tmp_path: Path) -> None:
    (tmp_path / "a.bin").touch()
    (document,) = read_documents(tmp_path / "a.bin", "a.bin")
    assert (document.text, document.blocks, document.format) == ("", (), "bytes")


def test_what_is_read_is_told_in_the_words_of_people() -> None:
    titles = [reader.title for reader in READERS]
    assert readable_types() == f"{', '.join(titles[:-1])} or {titles[-1]}"
    assert readable_types().startswith("Markdown, reStructuredText, HTML, ")
    assert readable_types().endswith(", plain text or source code")


def test_files_are_found_without_loading_a_reader(tmp_path: Path) -> None:
    for reader in READERS:
        (tmp_path / f"a{reader.suffixes[0]}").write_text("the cat")
    program = (
        "import sys; from ingest.walk import walk\n"
        "from ingest.readers.table import READERS\n"
        "assert len(walk(sys.argv[1:]).files) == len(READERS)\n"
        "assert not {reader.module for reader in READERS} & set(sys.modules)\n"
    )
    finished = run_python("-c", program, str(tmp_path))
    assert (finished.returncode, finished.stderr) == (0, "")
