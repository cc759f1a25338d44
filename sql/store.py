"""The store: documents in, whole or not at all; hits out, of one moment.

Chunks of a new version of a document are inserted under a fresh generation, which nobody sees. After they have been
counted back, one manifest row publishes the generation. A read is two statements: the highest published epoch, then the
search among what was published by then. Superseded generations stay until no reader can need them.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from sql.client import Client, Location, Row, parse_location
from sql.errors import StoreError, StoreMismatch
from sql.metadata import metadata_json, read_metadata
from sql.records import (
    GENERATION_RANDOM_BITS,
    EncoderIdentity,
    Hit,
    LiveDocument,
    SourceDocument,
    first_generation,
)
from sql.search import Searcher, documents_statement, make_request
from sql.signs import query_signs, sign_bytes, vector_signs
from sql.statements import Statement, schema_statements
from sql.tend import read_cells, read_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from sql.cells import Cells
    from sql.filters import Filter
    from sql.records import Chunk, QuantizedQuery, QuantizedVectors
    from sql.search import SearchOptions, Step

SCHEMA_VERSION = 2
# A reader fixes its epoch and may then search for as long as a statement may run; nothing it needs is deleted sooner.
GRACE_SECONDS = 60.0
ROWS_PER_INSERT = 20_000  # far below the 1,048,449 rows at which the engine splits one insert into several parts
GENERATIONS_PER_DELETE = 1_000
MASK_64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Collection:
    """What a store was made with."""

    encoder: EncoderIdentity
    quantizer: str
    schema_version: int

    @property
    def scheme(self) -> str:
        """The first word of the quantizer: `asymmetric` or `symmetric`."""
        return self.quantizer.split()[0]


@dataclass(slots=True)
class Draft:
    """A generation on its way: what was inserted so far, to be compared with what has arrived before it is published."""

    document: SourceDocument
    document_id: UUID
    generation: int
    metadata: str
    chunk_count: int = 0
    row_hash_sum: int = 0


@dataclass(frozen=True, slots=True)
class Passages:
    """Chunks, each with the draft it belongs to, and their vectors, row by row."""

    chunks: Sequence[tuple[Draft, Chunk]]
    vectors: QuantizedVectors

    def __post_init__(self) -> None:
        if len(self.chunks) != len(self.vectors):
            raise ValueError(f"{len(self.chunks)} chunks came with {len(self.vectors)} vectors")


@dataclass
class Store:
    """One collection of documents behind a client. Reading is safe from any thread; one thread writes."""

    client: Client
    _dead_since: dict[int, float] = field(default_factory=dict)
    _drafts: set[int] = field(default_factory=set)
    _begun_at: int | None = None
    _collection: Collection | None = None
    _cells: list[Cells | None] = field(default_factory=list)  # empty until they were looked for

    def __post_init__(self) -> None:
        self._searcher = Searcher(self.client)

    @classmethod
    def open(cls, location: str | Location, *, write: bool = False) -> Self:
        """Opens the store at a folder or DSN. Only a writer makes a new one.

        Raises StoreError where there is none to read, StoreBusy where another process has it, StoreMismatch where it
        was written by a newer or an older version.
        """
        place = location if isinstance(location, Location) else parse_location(location)
        if not write:
            place.require_store()
        store = cls(Client(place, read_only=not write))
        try:
            collection = store.collection()
            if collection is None and not write:
                raise StoreError(f"the store {place} is empty: fill it with `python -m ingest FOLDER --db {place}`")
            if collection is not None:
                check_schema_version(place, collection.schema_version)
            if write and collection is not None and store.client.first_in_process:
                # Under the lock of an embedded store nobody can still be reading what a killed run left behind.
                store.collect_garbage(grace_seconds=0)
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the store back; another process can open it at once."""
        self.client.close()

    # What the store was made with

    def collection(self) -> Collection | None:
        """What the vectors were made with, which never changes; None for a store without tables."""
        if self._collection is None:
            self._collection = self._read_collection()
        return self._collection

    def _read_collection(self) -> Collection | None:
        names = {row["name"] for row in self.client.query(Statement("table_names"))}
        if not {"collection", "manifest", "chunks", "texts"} <= names:
            return None
        rows = self.client.query(Statement("collection"))
        if not rows:
            return None
        row = rows[0]
        encoder = EncoderIdentity(**{name: row[name] for name in EncoderIdentity.__slots__})
        return Collection(encoder, row["quantizer"], row["schema_version"])

    def prepare(self, encoder: EncoderIdentity, quantizer: str) -> None:
        """Makes the tables of a new store, or checks that an old one was made with this encoder and quantizer."""
        if self.collection() is not None:
            self.check_encoder(encoder, quantizer)
            return
        for name in schema_statements():
            self.client.create(name, {"dimensions": encoder.dimensions, "sign_bytes": sign_bytes(encoder.dimensions)})
        row = {name: getattr(encoder, name) for name in EncoderIdentity.__slots__}
        row |= {"revision": 1, "schema_version": SCHEMA_VERSION, "quantizer": quantizer}
        self.client.insert("collection", {name: [value] for name, value in row.items()})

    def check_encoder(self, encoder: EncoderIdentity, quantizer: str | None = None) -> None:
        """Raises StoreMismatch where vectors of `encoder` cannot be compared with those of the store."""
        collection = self.collection()
        if collection is None or (collection.encoder == encoder and quantizer in {None, collection.quantizer}):
            return
        stored = collection.encoder
        if stored == encoder:
            remedy = f"use `--quantizer {collection.scheme}`"
        elif (stored.model, stored.model_revision) != (encoder.model, encoder.model_revision):
            remedy = f"ask with `--model {stored.model}`"
        else:
            remedy = f"use the same version of {stored.model}"
        raise StoreMismatch(
            f"the store {self.client.location} was built with {describe(stored, collection.quantizer)}, and now "
            f"{describe(encoder, quantizer or collection.quantizer)} is in use: {remedy}, "
            "or ingest the documents into a new store with another --db"
        )

    # Reading

    def epoch(self) -> int:
        """The highest published epoch, 0 for an empty store. Reads at it see one moment, whatever is written since."""
        return int(self.client.query(Statement("epoch"))[0]["epoch"])

    def search(
        self,
        query: QuantizedQuery,
        k: int,
        epoch: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - the word everyone uses for it
        per_document: int | None = None,
        how: SearchOptions | None = None,
        watch: Callable[[Step], None] = lambda step: None,
    ) -> list[Hit]:
        """The k chunks nearest to the query at an epoch (the latest by default), best first; exactly k if k are there.

        `filter` says which chunks may be found (see `sql/filters.py`), `per_document` how many of one document, `how`
        overrides the choice of the search, and `watch` is told of every statement that is run.
        """
        at = self.epoch() if epoch is None else epoch
        request = make_request(query, k, at, filter, per_document, how)
        return [read_hit(row) for row in self._searcher.search(request, watch)]

    def search_statements(
        self,
        query: QuantizedQuery,
        k: int,
        epoch: int,
        *,
        filter: Filter | None = None,  # noqa: A002
        per_document: int | None = None,
        how: SearchOptions | None = None,
    ) -> list[Statement]:
        """The two statements of a search, to be shown: the one that fixes the epoch, and the search at it."""
        request = make_request(query, k, epoch, filter, per_document, how)
        return [Statement("epoch"), self._searcher.first_statement(request)]

    def search_documents(
        self,
        query: QuantizedQuery,
        k: int,
        epoch: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002
    ) -> list[tuple[str, float]]:
        """Source and score of the k documents nearest to the query, each by its best chunk; always exact."""
        at = self.epoch() if epoch is None else epoch
        rows = self.client.query(documents_statement(make_request(query, k, at, filter)))
        return [(row["source"], row["score"]) for row in rows]

    def hit_vectors(self, hits: Sequence[Hit]) -> QuantizedVectors:
        """The stored vectors of hits, in their order; StoreError where one was collected since it was found."""
        if not hits:
            raise ValueError("there are no hits whose vectors could be read")
        return read_vectors(self._rows_of_hits(hits, Statement("hit_vectors", hit_keys(hits))))

    def hit_distances(self, query: QuantizedQuery, hits: Sequence[Hit]) -> list[int]:
        """In how many sign bits hits differ from a query, in their order."""
        signs = query_signs(query)
        values = hit_keys(hits) | {"query_signs": signs.hex(), "sign_bytes": len(signs)}
        return [row["distance"] for row in self._rows_of_hits(hits, Statement("hit_distances", values))]

    def _rows_of_hits(self, hits: Sequence[Hit], statement: Statement) -> list[Row]:
        rows = self.client.query(statement) if hits else []
        found = {(row["cell"], row["generation"], row["chunk_index"]): row for row in rows}
        try:
            return [found[(hit.cell, hit.generation, hit.chunk_index)] for hit in hits]
        except KeyError as error:
            raise StoreError("a document was replaced and its old chunks are gone: search again") from error

    def sample_vectors(self, rows: int, epoch: int | None = None) -> QuantizedVectors:
        """Vectors of some visible chunks, the same ones for the same content."""
        values = {"epoch": self.epoch() if epoch is None else epoch, "rows": rows}
        found = self.client.query(Statement("sample_vectors", values))
        return read_vectors(found)

    def documents(self, epoch: int | None = None) -> list[LiveDocument]:
        """Every document at an epoch, ordered by path."""
        at = self.epoch() if epoch is None else epoch
        rows = self.client.query(Statement("live_documents", {"epoch": at}))
        return [LiveDocument(**{**row, "format": str(row["format"])}) for row in rows]

    def chunk_texts(self) -> list[tuple[str, str]]:
        """Source and text of every chunk that a reader sees now, in a fixed order."""
        rows = self.client.query(Statement("chunk_texts", {"epoch": self.epoch()}))
        return [(row["source"], row["text"]) for row in rows]

    def chunk_count(self) -> int:
        """Chunks that a reader sees now."""
        return int(self.client.query(Statement("chunk_count", {"epoch": self.epoch()}))[0]["chunk_count"])

    def damaged_documents(self) -> list[str]:
        """Paths of documents whose chunks are not what the manifest promises; empty for a sound store."""
        rows = self.client.query(Statement("damaged_documents", {"epoch": self.epoch()}))
        return [row["path"] for row in rows]

    # Writing

    def begin(self, document: SourceDocument) -> Draft:
        """A fresh, invisible generation for a document."""
        return Draft(document, document.document_id, self.new_generation(), metadata_json(document.metadata))

    def new_generation(self) -> int:
        """The number of a fresh generation, which is not garbage until `forget_drafts`."""
        # The upper bits follow the epoch, the lower ones are drawn: even two writers that ignore each other never
        # share a generation, and one can see from its number when it was begun.
        if self._begun_at is None:
            self._begun_at = self.epoch()
        generation = first_generation(self._begun_at) | secrets.randbits(GENERATION_RANDOM_BITS)
        while generation in self._drafts:
            generation += 1
        self._drafts.add(generation)
        return generation

    def forget_drafts(self, generations: Iterable[int]) -> None:
        """Drafts that have been published; what is begun from now on gets a higher number."""
        self._drafts.difference_update(generations)
        self._begun_at = None

    def cells(self) -> Cells | None:
        """The newest version of the cells, which new chunks are put into; None while there are none."""
        if not self._cells:
            self._cells = [read_cells(self.client.query(Statement("cells")))]
        return self._cells[0]

    def forget_cells(self) -> None:
        """Looks for a newer version of the cells before the next insert."""
        self._cells = []

    def insert(self, passages: Passages) -> None:
        """Stores chunks of drafts. They stay invisible until `publish`."""
        for first in range(0, len(passages.chunks), ROWS_PER_INSERT):
            rows = range(first, len(passages.chunks))[:ROWS_PER_INSERT]
            self.client.insert("chunks", chunk_columns(passages, rows, self.cells()))

    def publish(self, drafts: Sequence[Draft], deleted: Iterable[LiveDocument] = ()) -> int:
        """Makes drafts the current versions of their documents and deletes others, all at once; returns the epoch.

        Raises StoreError, and publishes nothing, where what has arrived is not what was sent.
        """
        removed = list(deleted)
        if not drafts and not removed:
            return self.epoch()
        names = [draft.document_id for draft in drafts] + [document.document_id for document in removed]
        if len(set(names)) < len(names):
            raise ValueError(
                "a document can be published or deleted only once in one epoch: readers could not tell which"
            )
        self._insert_texts(drafts)
        self._verify(drafts)
        epoch = self.epoch() + 1
        rows = [manifest_row(draft, epoch) for draft in drafts] + [
            deletion_row(document, epoch) for document in removed
        ]
        # One insert of one block is one part: all of these rows appear at the same time.
        self.client.insert("manifest", {name: [row[name] for row in rows] for name in rows[0]})
        self._drafts.difference_update(draft.generation for draft in drafts)
        self._begun_at = epoch
        return epoch

    def collect_garbage(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Deletes generations that have been invisible for `grace_seconds` of this process; returns how many."""
        now = time.monotonic()
        rows = self.client.query(Statement("dead_generations", {"epoch": self.epoch()}))
        dead = {row["generation"] for row in rows} - self._drafts
        self._dead_since = {generation: self._dead_since.get(generation, now) for generation in dead}
        due = sorted(generation for generation, since in self._dead_since.items() if now - since >= grace_seconds)
        for first in range(0, len(due), GENERATIONS_PER_DELETE):
            batch = {"generations": due[first : first + GENERATIONS_PER_DELETE]}
            self.client.execute(Statement("delete_chunks", batch))
            self.client.execute(Statement("delete_texts", batch))
        return len(due)

    def _insert_texts(self, drafts: Sequence[Draft]) -> None:
        converted = [draft for draft in drafts if draft.document.extracted_text is not None]
        if converted:
            texts = [draft.document.extracted_text or "" for draft in converted]
            self.client.insert(
                "texts",
                {
                    "generation": [draft.generation for draft in converted],
                    "document_id": [draft.document_id for draft in converted],
                    "source": [draft.document.source for draft in converted],
                    "text": texts,
                    "row_hash": [text_hash(text) for text in texts],
                },
            )

    def _verify(self, drafts: Sequence[Draft]) -> None:
        """Counts back what has arrived: rows, highest index and the sum of the hashes."""
        generations = [draft.generation for draft in drafts]
        rows = self.client.query(Statement("count_generations", {"generations": generations}))
        found = {row["generation"]: (row["chunk_count"], row["last_index"], row["row_hash_sum"]) for row in rows}
        texts = {
            row["generation"]: (row["text_count"], row["row_hash_sum"])
            for row in self.client.query(Statement("count_texts", {"generations": generations}))
        }
        for draft in drafts:
            sent = (draft.chunk_count, draft.chunk_count - 1, draft.row_hash_sum)
            arrived = found.get(draft.generation, (0, -1, 0))
            extracted = draft.document.extracted_text
            sent_text = (0, 0) if extracted is None else (1, text_hash(extracted))
            if arrived != sent or texts.get(draft.generation, (0, 0)) != sent_text:
                raise StoreError(
                    f"{draft.document.source}: what arrived in {self.client.location} ({arrived[0]} chunks) is not what "
                    f"was sent ({draft.chunk_count} chunks); nothing was published, run the command again"
                )


def check_schema_version(location: Location, version: int) -> None:
    """Raises StoreMismatch for tables of another version than this program's."""
    if version > SCHEMA_VERSION:
        raise StoreMismatch(
            f"the store {location} has schema version {version} and this program knows {SCHEMA_VERSION}: "
            "install a newer int8-rag"
        )
    if version < SCHEMA_VERSION:
        raise StoreMismatch(
            f"the store {location} has schema version {version}, of an older int8-rag, and this program needs "
            f"{SCHEMA_VERSION}: ingest the documents into a new store with another --db"
        )


def hit_keys(hits: Sequence[Hit]) -> dict[str, Any]:
    """The keys of hits, column by column."""
    return {
        "cells": sorted({hit.cell for hit in hits}),
        "generations": sorted({hit.generation for hit in hits}),
        "indexes": sorted({hit.chunk_index for hit in hits}),
    }


def read_hit(row: Row) -> Hit:
    """A hit from a row of a search."""
    values = {name: row[name] for name in Hit.__slots__ if name in row}
    values |= {"start": row["char_start"], "end": row["char_end"], "metadata": read_metadata(row["metadata"])}
    return Hit(**values)


def chunk_columns(passages: Passages, rows: range, cells: Cells | None = None) -> dict[str, list[Any]]:
    """Some rows of passages as the columns of an insert; counts them in their drafts."""
    vectors = passages.vectors.rows(rows)
    norms, signs = vectors.norms(), vector_signs(vectors)
    numbers = [0] * len(rows) if cells is None else cells.numbers(vectors.dequantize()).tolist()
    columns: dict[str, list[Any]] = defaultdict(list)
    for row, number in enumerate(rows):
        draft, chunk = passages.chunks[number]
        row_hash = chunk_hash(chunk, vectors, row, draft.metadata)
        values = {
            "cell": numbers[row],
            "generation": draft.generation,
            "chunk_index": chunk.index,
            "document_id": draft.document_id,
            "source": draft.document.source,
            "title": draft.document.title,
            "heading": chunk.heading,
            "char_start": chunk.start,
            "char_end": chunk.end,
            "line": chunk.line,
            "page": chunk.page,
            "tokens": chunk.tokens,
            "text": chunk.text,
            "metadata": draft.metadata,
            "codes": vectors.codes[row].tolist(),
            "scale": float(vectors.scale[row]),
            "zero_point": int(vectors.zero_point[row]),
            "norm": float(norms[row]),
            "signs": signs[row].tobytes(),
            "row_hash": row_hash,
        }
        for name, value in values.items():
            columns[name].append(value)
        draft.chunk_count += 1
        draft.row_hash_sum = (draft.row_hash_sum + row_hash) & MASK_64
    return columns


def chunk_hash(chunk: Chunk, vectors: QuantizedVectors, row: int, metadata: str) -> int:
    """BLAKE2b-64 of one row: its place, its vector, its text and its metadata; not where it lies in the table."""
    place = struct.pack("<QQQQQ", chunk.index, chunk.start, chunk.end, chunk.line, chunk.page)
    vector = struct.pack("<fb", vectors.scale[row], vectors.zero_point[row]) + vectors.codes[row].tobytes()
    words = chunk.text.encode() + b"\0" + metadata.encode()
    return int.from_bytes(blake2b(place + vector + words, digest_size=8).digest(), "little")


def text_hash(text: str) -> int:
    """BLAKE2b-64 of an extracted text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def manifest_row(draft: Draft, epoch: int) -> dict[str, Any]:
    """The row that publishes a draft."""
    document = draft.document
    return {
        "document_id": document.document_id,
        "epoch": epoch,
        "generation": draft.generation,
        "kind": "publish",
        "path": document.path,
        "source": document.source,
        "title": document.title,
        "format": document.format,
        "encoding": document.encoding,
        "content_sha256": document.content_sha256,
        "content_bytes": document.content_bytes,
        "chunker": document.chunker,
        "chunk_count": draft.chunk_count,
        "row_hash_sum": draft.row_hash_sum,
    }


def deletion_row(document: LiveDocument, epoch: int) -> dict[str, Any]:
    """The row that deletes a document."""
    return {
        "document_id": document.document_id,
        "epoch": epoch,
        "generation": document.generation,
        "kind": "delete",
        "path": document.path,
        "source": document.source,
        "title": document.title,
        "format": document.format,
        "encoding": "",
        "content_sha256": "",
        "content_bytes": 0,
        "chunker": document.chunker,
        "chunk_count": 0,
        "row_hash_sum": 0,
    }


def describe(encoder: EncoderIdentity, quantizer: str) -> str:
    """An encoder in a few words, for messages."""
    digest = encoder.model_sha256[:8]
    return (
        f"encoder {encoder.model} ({encoder.dimensions} dimensions, {encoder.weights}, weights {digest}, {quantizer})"
    )
