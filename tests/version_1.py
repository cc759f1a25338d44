"""A store as the first schema version wrote it: its own statements (tests/data/schema_1) and its own row hashes."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from support import PROJECT, QUANTIZER, chunks_of, identity, source_document, vectors_of

from sql.engine.client import Client, parse_location
from sql.engine.statements import Statement
from sql.records import EncoderIdentity, LiveDocument, first_generation
from sql.store.rows import deletion_row, text_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sql.records import Chunk, QuantizedVectors

SCHEMA = PROJECT / "tests" / "data" / "schema_1"


def chunk_hash(chunk: Chunk, vectors: QuantizedVectors, row: int) -> int:
    """BLAKE2b-64 of one row of version 1: its place, its text and its vector."""
    place = struct.pack("<QQQQQ", chunk.index, chunk.start, chunk.end, chunk.line, chunk.page)
    vector = struct.pack("<fb", vectors.scale[row], vectors.zero_point[row]) + vectors.codes[row].tobytes()
    return int.from_bytes(blake2b(place + vector + chunk.text.encode(), digest_size=8).digest(), "little")


def make_tables(client: Client, encoder: EncoderIdentity | None = None) -> None:
    """The tables of a new store, and what it was made with."""
    made_by = encoder or identity()
    for path in sorted(SCHEMA.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        values = {"dimensions": made_by.dimensions} if "{dimensions:" in text else None
        client.text(text, None, values)
    known = [name for name in EncoderIdentity.__slots__ if name != "prompts"]  # of which version 1 knew nothing
    row: dict[str, Any] = {name: getattr(made_by, name) for name in known}
    row |= {"revision": 1, "schema_version": 1, "quantizer": QUANTIZER}
    client.insert("collection", {name: [value] for name, value in row.items()})


def publish(client: Client, path: str, texts: Sequence[str], epoch: int, extracted: str | None = None) -> None:
    """A version of a document, as version 1 published it at an epoch."""
    document, generation = source_document(path, extracted, content="".join(texts)), first_generation(epoch - 1) + 7
    chunks, vectors = chunks_of(texts), vectors_of(texts)
    hashes = [chunk_hash(chunk, vectors, row) for row, chunk in enumerate(chunks)]
    norms = vectors.norms()
    rows: list[dict[str, Any]] = [
        {
            "generation": generation, "chunk_index": chunk.index, "document_id": document.document_id,
            "source": document.source, "title": document.title, "heading": chunk.heading, "char_start": chunk.start,
            "char_end": chunk.end, "line": chunk.line, "page": chunk.page, "tokens": chunk.tokens, "text": chunk.text,
            "codes": vectors.codes[row].tolist(), "scale": float(vectors.scale[row]),
            "zero_point": int(vectors.zero_point[row]), "norm": float(norms[row]), "row_hash": hashes[row],
        }
        for row, chunk in enumerate(chunks)
    ]  # fmt: skip
    if rows:
        insert(client, "chunks", rows)
    if extracted is not None:
        named = {"generation": generation, "document_id": document.document_id, "source": document.source}
        insert(client, "texts", [named | {"text": extracted, "row_hash": text_hash(extracted)}])
    names = (
        "document_id",
        "path",
        "source",
        "title",
        "format",
        "encoding",
        "content_sha256",
        "content_bytes",
        "chunker",
    )
    published = {name: getattr(document, name) for name in names} | {
        "epoch": epoch, "generation": generation, "kind": "publish", "chunk_count": len(rows),
        "row_hash_sum": sum(hashes) % 2**64,
    }  # fmt: skip
    insert(client, "manifest", [published])


def delete(client: Client, path: str, epoch: int) -> None:
    """The row with which version 1 deleted a document."""
    rows = client.query(Statement("live_documents", {"epoch": epoch - 1}))
    (document,) = [LiveDocument(**row) for row in rows if row["source"] == path]
    later = {"calibration", "place_count", "place_checksum"}
    row = {name: value for name, value in deletion_row(document, epoch).items() if name not in later}
    insert(client, "manifest", [row])


def insert(client: Client, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    client.insert(table, {name: [row[name] for row in rows] for name in rows[0]})


TEXTS = {
    "cats.txt": ["the cats sat on the mat", "a cat and another cat", "'; DROP TABLE chunks; --"],
    "dogs.txt": ["dogs run here", "one dog runs to the other"],
    "page.html": ["the text of a page"],
    "empty.txt": [],
}
LAST_EPOCH = 7


def write_store(folder: Path | str) -> None:
    """A store of version 1 with a replaced, a deleted, a converted and an empty document, and a draft never published."""
    client = Client(parse_location(str(folder)))
    try:
        make_tables(client)
        publish(client, "cats.txt", ["what was there before"], 1)
        publish(client, "gone.txt", ["what has gone"], 2)
        publish(client, "cats.txt", TEXTS["cats.txt"], 3)
        publish(client, "dogs.txt", TEXTS["dogs.txt"], 4)
        publish(client, "page.html", TEXTS["page.html"], 5, extracted="the text of a page")
        publish(client, "empty.txt", [], 6)
        delete(client, "gone.txt", LAST_EPOCH)
    finally:
        client.close()
