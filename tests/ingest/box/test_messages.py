"""What a reading process gives comes back as it was, and anything else is refused before a record is made of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ingest.box.messages import BadMessage, as_bytes, decode_document, encode_document, from_bytes
from ingest.chunk import split_document
from ingest.document import Block, Document
from ingest.places import Cells, MailPart, NotebookCell, PageMark, Place, Rectangle
from ingest.readers import read_documents
from rag.text.analyser import chunk_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

    Change = Callable[[list[Any], list[Any]], None]

DOCUMENT = Document(
    source="a.pdf#b",
    format="pdf",
    title="Tïtle \ud800",
    text="the cat sat\non the mat",
    blocks=(Block(0, 11, "heading", "the cat"), Block(12, 22, "paragraph", "the cat")),
    encoding="",
    content_hash="0" * 64,
    content_bytes=100,
    converted=True,
    line_marks=((0, 1), (12, 7)),
    part="b",
    metadata={"year": 1998, "tags": ("a", "b"), "share": 0.5, "open": True, "none": None},
    remark="half of it",
    page_marks=(PageMark(0, 1, "iv"), PageMark(12, 2)),
    places=(
        Place(0, 3, Rectangle(1, 0.1, 2, 30.25, 4.0)),
        Place(4, 7, Cells("Budget", 2, 2, 7, 28)),
        Place(8, 11, NotebookCell(3)),
        Place(12, 22, MailPart("2.1")),
    ),
)


def test_a_document_with_its_chunks_comes_back_as_it_was(tokenizer: Tokenizer) -> None:
    chunks = split_document(DOCUMENT, tokenizer)
    assert decode_document(encode_document(DOCUMENT, chunks)) == (DOCUMENT, chunks, None)
    assert decode_document(encode_document(DOCUMENT, None)) == (DOCUMENT, None, None)


def test_outlines_of_chunks_come_back(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = tmp_path / "a.md"
    path.write_text("# A\n\nThe cat runs:\n\n- here\n- there\n\n## B\n\n| one | two |\n|---|---|\n| cat | dog |\n" * 5)
    (document,) = read_documents(path, "a.md")
    chunks = split_document(document, tokenizer)
    assert any(chunk.outline.sections and chunk.outline.leads for chunk in chunks)
    assert decode_document(encode_document(document, chunks)) == (document, chunks, None)


def message(tokenizer: Tokenizer) -> tuple[list[Any], list[Any]]:
    content = encode_document(DOCUMENT, split_document(DOCUMENT, tokenizer))
    document, chunks, _ = from_bytes(content)
    return document, chunks


@pytest.mark.parametrize(
    "change",
    [
        lambda document, chunks: document.pop(),
        lambda document, chunks: document.append(1),
        lambda document, chunks: document.__setitem__(0, 7),
        lambda document, chunks: document.__setitem__(3, None),
        lambda document, chunks: document.__setitem__(7, 2**63),
        lambda document, chunks: document.__setitem__(7, True),
        lambda document, chunks: document[4].reverse(),
        lambda document, chunks: document[4][1].__setitem__(1, 1000),
        lambda document, chunks: document[4].append("block"),
        lambda document, chunks: document[9].append([1]),
        lambda document, chunks: document.__setitem__(11, {"a b": 1}),
        lambda document, chunks: document.__setitem__(11, {"a": {"b": 1}}),
        lambda document, chunks: document[14][0].__setitem__(2, ["Chunk", []]),
        lambda document, chunks: document[14][0].__setitem__(2, ["__class__", []]),
        lambda document, chunks: document[14][0][2][1].__setitem__(1, float("nan")),
        lambda document, chunks: document[14][0][2][1].__setitem__(0, 0),
        lambda document, chunks: document.__setitem__(15, "1"),
        lambda document, chunks: chunks[0].__setitem__(0, 1),
        lambda document, chunks: chunks[0].__setitem__(2, -1),
        lambda document, chunks: chunks[0].__setitem__(3, 1000),
        lambda document, chunks: chunks[0].__setitem__(3, "5"),
        lambda document, chunks: chunks.append({}),
        lambda document, chunks: chunks[0].clear(),
    ],
)
def test_what_is_no_document_is_refused(tokenizer: Tokenizer, change: Change) -> None:
    document, chunks = message(tokenizer)
    decode_document(as_bytes([document, chunks, None]))
    change(document, chunks)
    with pytest.raises(BadMessage):
        decode_document(as_bytes([document, chunks, None]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"null",
        b"[]",
        b"{}",
        b"[1, 2, 3]",
        b"[[], [], []]",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
    ],
    ids=range(11),
)
def test_bytes_that_are_no_message_are_refused(content: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_document(content)


def test_the_text_of_a_chunk_is_cut_from_the_document_and_not_believed(tokenizer: Tokenizer) -> None:
    document, chunks = message(tokenizer)
    assert chunks[0][1] == ""
    chunks[0][1] = "something else"
    (chunk,) = decode_document(as_bytes([document, chunks, None]))[1] or ()
    assert chunk.text == DOCUMENT.text[chunk.start : chunk.end]


WORDS = ["en", {"cat": 2, "mat": 1}, 3]


def test_words_of_chunks_come_back_as_they_were(tokenizer: Tokenizer) -> None:
    chunks = split_document(DOCUMENT, tokenizer)
    words = [chunk_words(chunk.text, "en") for chunk in chunks]
    assert words[0].terms
    assert decode_document(encode_document(DOCUMENT, chunks, words)) == (DOCUMENT, chunks, words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [WORDS, WORDS],
        [WORDS[:2]],
        [["en", {"cat": 4}, 3]],
        [["en", {"cat": 0}, 3]],
        [["en", {"cat": True}, 3]],
        [["en", {"cat": 1.0}, 3]],
        [["en", {"": 1}, 3]],
        [["en", {"\udc80": 1}, 3]],
        [["en", ["cat"], 3]],
        [["en", {"cat": 1}, 2**31]],
        [["en", {"cat": 1}, -1]],
        [[1, {"cat": 1}, 3]],
        {},
        7,
    ],
)
def test_what_are_no_words_of_the_chunks_is_refused(tokenizer: Tokenizer, words: object) -> None:
    document, chunks = message(tokenizer)
    decode_document(as_bytes([document, chunks, [WORDS]]))
    with pytest.raises(BadMessage):
        decode_document(as_bytes([document, chunks, words]))


def test_messages_are_plain_json() -> None:
    row, none, _ = json.loads(encode_document(DOCUMENT, None).decode("utf-8", "surrogatepass"))
    assert none is None
    assert row[:2] == ["a.pdf#b", "pdf"]
