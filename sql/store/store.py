"""The store: documents in, whole or not at all; hits out, of one moment.

Chunks of a new version of a document are inserted under a fresh generation, which nobody sees. After they have been
counted back, one manifest row publishes the generation. A read is two statements: the highest published epoch, then the
search among what was published by then. Superseded generations stay until no reader can need them.
"""

from __future__ import annotations

import secrets
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sql.base.errors import NoStore, StoreError, StoreMismatch, StoreUnreachable
from sql.engine.client import Client, Row
from sql.engine.cluster import Cluster
from sql.engine.lease import LEASE_TIMEOUTS, PublishLease
from sql.engine.location import Location, parse_location
from sql.engine.statements import Statement, dialect_statements, schema_statements, server_statements
from sql.records import (
    GENERATION_RANDOM_BITS,
    NO_OUTLINE,
    EncoderIdentity,
    Hit,
    LiveDocument,
    Outline,
    SourceDocument,
    TextStatistics,
    first_generation,
)
from sql.records.calibration import PER_DIMENSION, Calibration, Quantizer
from sql.records.metadata import metadata_json, read_metadata
from sql.search.cells import read_cells
from sql.search.filters import refuse_hopeless
from sql.search.search import WIDER, Runner, Searcher, documents_statement, make_request
from sql.search.signs import query_signs, sign_bytes, vector_signs
from sql.search.words import (
    bm25_statement,
    hybrid_hits_statement,
    large_bm25_statement,
    length_columns,
    posting_columns,
    word_hits_statement,
    words_checksum,
)
from sql.store.migrate import add_revision, migrate, stored_version
from sql.upkeep.tend import read_vectors, unpack_vectors

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from sql.engine.statements import Value
    from sql.records import Chunk, ChunkWords, QuantizedQuery, QuantizedVectors, WordQuery
    from sql.search.cells import Cells
    from sql.search.filters import Filter
    from sql.search.search import SearchOptions, Step
    from sql.search.words import WordScores

SCHEMA_VERSION = 3
# A reader fixes its epoch and may then search for as long as a statement may run; nothing it needs is deleted sooner.
GRACE_SECONDS = 60.0
ROWS_PER_INSERT = 20_000  # far below the 1,048,449 rows at which the engine splits one insert into several parts
WORD_ROWS_PER_INSERT = 4_000  # chunks; each has some 50 postings
GENERATIONS_PER_DELETE = 1_000
# Superseded generations on a server: its readers are other processes, whose statements nobody here can see end.
SERVER_GRACE_SECONDS = 600.0
SETTLE_SECONDS = 0.3  # after a cut connection, for an insert that the server had in hand to become visible or not
# A generation is, from its highest bits on: the epoch after which it was begun, the run that began it, a number, and a
# bucket of its document, by which the shards of a cluster divide everything that has a generation.
BUCKET_BITS, NUMBER_BITS = 8, 12
RUN_BITS = GENERATION_RANDOM_BITS - NUMBER_BITS - BUCKET_BITS
MOST_FREQUENCIES = 100_000  # terms whose frequency is remembered
TESTED_SERVER = "26.9"  # others are refused only where the probe finds that they compute otherwise
MASK_64 = 2**64 - 1
PLACE = struct.Struct("<QQQQQ")  # of a chunk: index, start, end, line, page


@dataclass(frozen=True, slots=True)
class Collection:
    """What a store was made with."""

    encoder: EncoderIdentity
    quantizer: str
    schema_version: int
    analyser: str = ""

    @property
    def scheme(self) -> str:
        """The first word of the quantizer: `asymmetric` or `symmetric`."""
        return self.quantizer.split()[0]

    @property
    def vector_quantizer(self) -> Quantizer:
        """The quantizer in its parts; StoreMismatch where this program does not know it."""
        return Quantizer.from_name(self.quantizer)


@dataclass(slots=True)
class Draft:
    """A generation on its way: what was inserted so far, to be compared with what has arrived before it is published."""

    document: SourceDocument
    document_id: UUID
    generation: int
    metadata: str
    chunk_count: int = 0
    row_hash_sum: int = 0
    calibration: int = 0
    words_count: int = 0  # chunks with words
    posting_count: int = 0
    words_checksum: int = 0


@dataclass(frozen=True, slots=True)
class Passages:
    """Chunks, each with the draft it belongs to, their vectors, and their words, row by row.

    Without words the chunks are found by their vectors alone. `references` holds the vectors of some rows as they were
    before they became codes, to be kept beside them.
    """

    chunks: Sequence[tuple[Draft, Chunk]]
    vectors: QuantizedVectors
    words: Sequence[ChunkWords] = ()
    references: Mapping[int, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.chunks) != len(self.vectors):
            raise ValueError(f"{len(self.chunks)} chunks came with {len(self.vectors)} vectors")
        if self.words and len(self.words) != len(self.chunks):
            raise ValueError(f"{len(self.chunks)} chunks came with the words of {len(self.words)}")


@dataclass
class Store:
    """One collection of documents behind a client. Reading and writing are safe from any thread.

    `announce` is told what was left undone. Threads that write take turns where they have to; one that does several things
    which belong together holds `writing` meanwhile.
    """

    client: Client
    announce: Callable[[str], None] = lambda sentence: None
    _dead_since: dict[int, float] = field(default_factory=dict)
    _drafts: set[int] = field(default_factory=set)  # of those in client.drafts, the ones begun here
    _begun_at: int | None = None
    _run: int = field(default_factory=lambda: secrets.randbits(RUN_BITS))
    _number: int = 0
    _collection: Collection | None = None
    _cluster: Cluster | None = None
    _calibration: tuple[int, Calibration | None] | None = None  # an epoch, and the ranges its codes were made with
    _cells: list[Cells | None] = field(default_factory=list)  # empty until they were looked for
    _analyser_epoch: int | None = None  # at which the analyser was looked up last
    _frequencies: tuple[int, dict[str, int]] = (0, {})  # an epoch, and how many chunks hold each term

    def __post_init__(self) -> None:
        self._searcher = Searcher(self.client)

    @classmethod
    def open(
        cls,
        location: str | Location,
        *,
        write: bool = False,
        announce: Callable[[str], None] = lambda sentence: None,
    ) -> Self:
        """Opens the store at a folder or DSN. Only a writer makes a new one, or brings an old one up to date.

        Raises NoStore where there is none to read, StoreBusy where another process has it, StoreMismatch where it
        was written by a newer version, or by an older one and is only to be read.
        """
        place = location if isinstance(location, Location) else parse_location(location)
        if not write:
            place.require_store()
        store = cls(Client(place, read_only=not write, create_database=write), announce)
        try:
            if place.server is not None:
                store._cluster = Cluster(store.client, place.server) if place.server.cluster else None
                store._probe()
            if write:
                migrate(store.client, announce)
            collection = store.collection()
            if collection is None and not write:
                raise NoStore(f"the store {place} is empty: fill it with `python -m ingest FOLDER --db {place}`")
            if collection is not None:
                check_schema_version(place, collection.schema_version)
            if write and collection is not None and store.client.first_in_process:
                # Under the lock of an embedded store nobody can still be reading what a killed run left behind.
                store.collect_garbage(grace_seconds=0)
        except BaseException:
            store.close()
            raise
        return store

    def _probe(self) -> None:
        """Raises StoreMismatch where the server's arithmetic is not what the statements rely on."""
        try:
            row = self.client.query(Statement("probe", {"query": [2047, -2047, 2047]}))[0]
        except StoreUnreachable:
            raise
        except StoreError as error:
            raise StoreMismatch(
                f"{error}; the server is too old: ClickHouse {TESTED_SERVER} or newer is needed"
            ) from error
        if (row["product"], row["distance"]) != (-2047 * 128, 2):
            raise StoreMismatch(
                f"{self.client.location}: ClickHouse {row['version']} computes dot products of integers that are not "
                f"exact ({row['product']} for {-2047 * 128}): use {TESTED_SERVER} or newer"
            )

    @property
    def is_cluster(self) -> bool:
        """Whether the tables are spread over shards."""
        return self._cluster is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the store back; another process can open it at once."""
        with self.writing:
            self.client.drafts.difference_update(self._drafts)
        if self._cluster is not None:
            self._cluster.close()
        self.client.close()

    @property
    def writing(self) -> threading.RLock:
        """Held by the one thread that writes, of all that have the store open in this process."""
        return self.client.writing

    # What the store was made with

    def collection(self) -> Collection | None:
        """What the vectors were made with, which never changes; None for a store without tables."""
        found = self._collection  # looked at once: another thread may be at `revise`
        if found is None:
            found = self._collection = self._read_collection()
        return found

    @property
    def dimensions(self) -> int:
        """Numbers in one vector; 1 for a store without tables, which has none."""
        collection = self.collection()
        return collection.encoder.dimensions if collection else 1

    def _table_names(self) -> set[str]:
        return {row["name"] for row in self.client.query(Statement("table_names"))}

    def _read_collection(self) -> Collection | None:
        names = self._table_names()
        if not {"collection", "manifest", "chunks", "texts", "lengths", "postings"} <= names:
            if "collection" in names:  # of an older version, which has fewer tables, or on its way to the first one
                check_schema_version(self.client.location, stored_version(self.client) or SCHEMA_VERSION)
            return None
        rows = self.client.query(Statement("collection"))
        if not rows:
            return None
        row = rows[0]
        encoder = EncoderIdentity(**{name: row[name] for name in EncoderIdentity.__slots__})
        return Collection(encoder, row["quantizer"], row["schema_version"], str(row["analyser"]))

    def prepare(self, encoder: EncoderIdentity, quantizer: str, analyser: str = "") -> None:
        """Makes the tables of a new store, or checks that an old one was made with the same things."""
        with self.writing:
            self._prepare(encoder, quantizer, analyser)

    def _prepare(self, encoder: EncoderIdentity, quantizer: str, analyser: str) -> None:
        if self.collection() is not None:
            self.check_encoder(encoder, quantizer)
            if self._has_lease() and self._cluster is None and "lease" not in self._table_names():
                self._create(server_statements(), encoder)
            if analyser:
                self.check_analyser(analyser)
            return
        per_dimension = Quantizer.from_name(quantizer).granularity == PER_DIMENSION
        definitions = schema_statements(PER_DIMENSION if per_dimension else "")
        if self._cluster is not None:
            self._cluster.create(definitions, definition_values(encoder))
        else:
            server = self.client.location.server
            self._create(definitions + (dialect_statements(server.dialect) if server else ()), encoder)
        row = {name: getattr(encoder, name) for name in EncoderIdentity.__slots__}
        row |= {"revision": 1, "schema_version": SCHEMA_VERSION, "quantizer": quantizer, "analyser": analyser}
        self.client.insert("collection", {name: [value] for name, value in row.items()})

    def _has_lease(self) -> bool:
        """MyScale cannot tell the order of two inserts, so there a lease would promise what it cannot keep."""
        server = self.client.location.server
        return server is not None and server.dialect == "clickhouse"

    def _create(self, statements: Iterable[str], encoder: EncoderIdentity) -> None:
        for name in statements:
            self.client.create(name, definition_values(encoder))

    def revise(self, **changes: Any) -> None:
        """A new revision of what the store was made with."""
        with self.writing:
            add_revision(self.client, changes)
            self._collection = None

    def check_encoder(self, encoder: EncoderIdentity, quantizer: str | None = None) -> None:
        """Raises StoreMismatch where vectors of `encoder` cannot be compared with those of the store."""
        collection = self.collection()
        if collection is None or (collection.encoder == encoder and quantizer in {None, collection.quantizer}):
            return
        stored = collection.encoder
        if stored == encoder:
            remedy = f"use `{collection.vector_quantizer.options}`"
        elif (stored.model, stored.model_revision) != (encoder.model, encoder.model_revision):
            remedy = f"ask with `--model {stored.model}`"
        else:
            remedy = f"use the same version of {stored.model}"
        raise StoreMismatch(
            f"the store {self.client.location} was built with {describe(stored, collection.quantizer)}, and now "
            f"{describe(encoder, quantizer or collection.quantizer)} is in use: {remedy}, "
            "or ingest the documents into a new store with another --db"
        )

    def calibration(self, epoch: int) -> Calibration | None:
        """The ranges that the codes of an epoch share, None where each vector has its own or nothing is published.

        Raises StoreMismatch where they were fitted on vectors of another encoder.
        """
        collection = self.collection()
        if collection is None or not collection.vector_quantizer.calibrated:
            return None
        known = self._calibration
        if known is None or known[0] != epoch:
            rows = self.client.query(Statement("calibration", {"epoch": epoch}))
            known = self._calibration = (epoch, self._checked_calibration(rows[0]) if rows else None)
        return known[1]

    def _checked_calibration(self, row: Row) -> Calibration:
        """The calibration of a row, if it is one for this store."""
        calibration, collection = Calibration.from_row(row), self.collection()
        made_by = collection.encoder.model_sha256 if collection else ""
        if calibration.model_sha256 != made_by:
            raise StoreMismatch(
                f"calibration {calibration.version} of {self.client.location} was fitted on vectors of the weights "
                f"{calibration.model_sha256[:8]} and the store holds those of {made_by[:8]}: "
                "ingest the documents into a new store with another --db"
            )
        return calibration

    def add_calibration(self, calibration: Calibration) -> Calibration:
        """Stores fitted ranges under the next version; what was fitted alike and is not stored twice keeps its own.

        Nothing is read with them until a generation is published that names the version.
        """
        with self.writing:
            return self._add_calibration(calibration)

    def _add_calibration(self, calibration: Calibration) -> Calibration:
        rows = self.client.query(Statement("calibration_newest"))
        newest = self._checked_calibration(rows[0]) if rows else None
        if newest is not None and newest.same_fit(calibration):
            return newest
        stored = replace(calibration, version=newest.version + 1 if newest else 1)
        row = stored.row(stored.version)
        self._checked_calibration(row)
        self.client.insert("calibrations", {name: [value] for name, value in row.items()})
        return stored

    def check_analyser(self, analyser: str, epoch: int | None = None) -> None:
        """Raises StoreMismatch where words cut by `analyser` cannot be compared with those of the store.

        Another process may make words anew: the answer is looked up again at another epoch, and before it is no.
        """
        if epoch is not None and epoch != self._analyser_epoch:
            self._collection, self._analyser_epoch = None, epoch
        collection = self.collection()
        if collection is not None and collection.analyser != analyser:
            self._collection = None
            collection = self.collection()
        if collection is not None and collection.analyser != analyser:
            kept = f"was written with the analyser {collection.analyser!r}" if collection.analyser else "has no words"
            raise StoreMismatch(
                f"the store {self.client.location} {kept}, and now {analyser!r} is in use: have them made from the stored "
                f"texts, by the next ingest or with `python -m rag migrate --db {self.client.location}`, and until then "
                "search with --mode vector; or ingest the documents into a new store with another --db"
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

        `filter` says which chunks may be found (see `sql/search/filters.py`), `per_document` how many of one document, `how`
        overrides the choice of the search, and `watch` is told of every statement that is run.
        """
        at = self.epoch() if epoch is None else epoch
        request = make_request(query, k, at, filter, per_document, how, self.calibration(at))
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
        """The statements of a search to be shown: the one that fixes the epoch, and the search at it.

        Of cells and two stages what is published is looked up afterwards, which is not among them.
        """
        request = make_request(query, k, epoch, filter, per_document, how, self.calibration(epoch))
        statements = [Statement("epoch"), self._searcher.first_statement(request)]
        return [self.client.localize(statement) for statement in statements]

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
        rows = self.client.query(
            documents_statement(make_request(query, k, at, filter, calibration=self.calibration(at)))
        )
        return [(row["source"], row["score"]) for row in rows]

    def text_statistics(self, epoch: int) -> TextStatistics:
        """What BM25 has to know of all chunks at an epoch."""
        rows = self.client.query(Statement("text_statistics", {"epoch": epoch}))
        return TextStatistics(
            chunk_count=sum(row["chunk_count"] for row in rows),
            term_count=sum(row["term_count"] for row in rows),
            languages=tuple(str(row["language"]) for row in rows),
        )

    def term_frequencies(
        self, terms: Iterable[str], epoch: int, *, watch: Callable[[Step], None] = lambda step: None
    ) -> dict[str, int]:
        """How many chunks at an epoch hold each of the terms; terms that none holds are left out.

        An epoch's frequencies never change, so a term is counted once.
        """
        at, known = self._frequencies
        if at != epoch or len(known) > MOST_FREQUENCIES:
            self._frequencies = epoch, known = epoch, {}
        asked = sorted(set(terms))
        if new := [term for term in asked if term not in known]:
            rows = Runner(self.client, watch)("rarity", Statement("term_frequencies", {"terms": new, "epoch": epoch}))
            known |= dict.fromkeys(new, 0) | {row["term"]: row["chunk_count"] for row in rows}
        return {term: known[term] for term in asked if known[term]}

    def word_frequencies(
        self,
        words: Sequence[Sequence[str]],
        epoch: int,
        *,
        watch: Callable[[Step], None] = lambda step: None,
    ) -> list[int]:
        """How many chunks at an epoch hold each of some words in any of its forms, which are terms of no other word."""
        if not words:
            return []
        values: dict[str, Any] = {
            "terms": [form for forms in words for form in forms],
            "words": [number for number, forms in enumerate(words, start=1) for _ in forms],
            "epoch": epoch,
        }
        rows = Runner(self.client, watch)("rarity", Statement("word_frequencies", values))
        found = {row["word"]: row["chunk_count"] for row in rows}
        return [found.get(number, 0) for number in range(1, len(words) + 1)]

    def rank_by_words(
        self,
        query: WordQuery,
        k: int,
        epoch: int,
        near: Sequence[Hit] = (),
        *,
        filter: Filter | None = None,  # noqa: A002
        per_document: int | None = None,
        watch: Callable[[Step], None] = lambda step: None,
    ) -> WordScores:
        """Places and BM25 scores of the k best chunks by words, of the chunks `near` first; none without a word.

        `per_document` is how many of one document, besides those of the chunks `near`.
        """
        run = Runner(self.client, watch)
        if filter or self._searcher.known_hidden(epoch) is None:
            rows = run("words", bm25_statement(query, k, epoch, near, filter, per_document))
        else:
            rows = self._rank_in_large_table(query, k, epoch, near, per_document, run)
        return {(row["generation"], row["chunk_index"]): row["score"] for row in rows}

    def _rank_in_large_table(
        self, query: WordQuery, k: int, epoch: int, near: Sequence[Hit], per_document: int | None, run: Runner
    ) -> list[Row]:
        """The k best rows that are published, of an epoch whose hidden generations a search by vectors has listed."""
        limit = k
        while (hidden := self._searcher.known_hidden(epoch)) is not None:
            rows = run("words", large_bm25_statement(query, limit, epoch, near, hidden, per_document))
            published = self._searcher.published(rows, epoch, run)
            if len(published) >= k or len(rows) < limit:
                return published[:k]
            limit *= WIDER
        return run("words", bm25_statement(query, k, epoch, near, per_document=per_document))

    def word_hits(
        self,
        scores: WordScores,
        k: int,
        *,
        per_document: int | None = None,
        watch: Callable[[Step], None] = lambda step: None,
    ) -> list[Hit]:
        """The k best of chunks whose BM25 scores are known."""
        return [
            read_hit(row) for row in Runner(self.client, watch)("hits", word_hits_statement(scores, k, per_document))
        ]

    def hybrid_hits(
        self,
        scores: WordScores,
        query: QuantizedQuery,
        k: int,
        epoch: int,
        *,
        vector_share: float,
        most: float,
        per_document: int | None = None,
        watch: Callable[[Step], None] = lambda step: None,
    ) -> list[Hit]:
        """The k best of chunks whose BM25 scores are known by both scores together."""
        statement = hybrid_hits_statement(
            scores, query, k, per_document, self.calibration(epoch), vector_share=vector_share, most=most
        )
        return [read_hit(row) for row in Runner(self.client, watch)("hits", statement)]

    def hit_vectors(self, hits: Sequence[Hit]) -> QuantizedVectors:
        """The stored vectors of hits, in their order; StoreError where one was collected since it was found."""
        if not hits:
            raise ValueError("there are no hits whose vectors could be read")
        return read_vectors(
            self._rows_of_hits(hits, Statement("hit_vectors", hit_keys(hits))), self.calibration(self.epoch())
        )

    def with_outlines(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the outlines of their chunks: which heading stands where, and the headers of tables."""
        if not hits:
            return []
        rows = self.client.query(Statement("hit_outlines", hit_keys(hits)))
        outlines = {(row["generation"], row["chunk_index"]): Outline.from_json(row["outline"]) for row in rows}
        return [replace(hit, outline=outlines.get((hit.generation, hit.chunk_index), NO_OUTLINE)) for hit in hits]

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
        at = self.epoch() if epoch is None else epoch
        packed = self.client.query_packed(Statement("sample_vectors", {"epoch": at, "rows": rows}))
        return unpack_vectors(packed, self.dimensions, self.calibration(at))[2]

    def documents(self, epoch: int | None = None) -> list[LiveDocument]:
        """Every document at an epoch, ordered by path."""
        at = self.epoch() if epoch is None else epoch
        rows = self.client.query(Statement("live_documents", {"epoch": at}))
        return [LiveDocument(**{**row, "format": str(row["format"])}) for row in rows]

    def some_documents(self, document_ids: Sequence[UUID], epoch: int | None = None) -> list[LiveDocument]:
        """The documents of these ids at an epoch, ordered by path; ids of no document are passed over."""
        at = self.epoch() if epoch is None else epoch
        values: dict[str, Any] = {"epoch": at, "document_ids": [str(document_id) for document_id in document_ids]}
        rows = self.client.query(Statement("some_documents", values))
        return [LiveDocument(**{**row, "format": str(row["format"])}) for row in rows]

    def document_chunks(self, document_ids: Sequence[UUID], epoch: int | None = None) -> list[Hit]:
        """Every chunk of these documents at an epoch, in reading order, with the score 1; unknown ids are passed over."""
        at = self.epoch() if epoch is None else epoch
        values: dict[str, Any] = {"epoch": at, "document_ids": [str(document_id) for document_id in document_ids]}
        return [read_hit(row) for row in self.client.query(Statement("document_chunks", values))]

    def refuse_hopeless(self, given: Filter, epoch: int | None = None) -> None:
        """Raises InvalidFilter where a filter, which nothing has passed, asks for a name or a type that no chunk has."""
        at = self.epoch() if epoch is None else epoch
        rows = self.client.query(Statement("metadata_names", {"epoch": at}))
        refuse_hopeless(given, {row["name"]: set(row["types"]) for row in rows})

    def chunk_texts(self) -> list[tuple[str, str]]:
        """Source and text of every chunk that a reader sees now, in a fixed order."""
        rows = self.client.query(Statement("chunk_texts", {"epoch": self.epoch()}))
        return [(row["source"], row["text"]) for row in rows]

    def chunk_count(self) -> int:
        """Chunks that a reader sees now."""
        return int(self.client.query(Statement("chunk_count", {"epoch": self.epoch()}))[0]["chunk_count"])

    def damaged_documents(self) -> list[str]:
        """Paths of documents whose chunks are not what the manifest promises; empty for a sound store."""
        values = {"epoch": self.epoch()}
        rows = self.client.query(Statement("damaged_documents", values))
        rows += self.client.query(Statement("damaged_words", values))
        return sorted({row["path"] for row in rows})

    # Writing

    def begin(self, document: SourceDocument) -> Draft:
        """A fresh, invisible generation for a document."""
        return Draft(
            document, document.document_id, self.new_generation(document.document_id), metadata_json(document.metadata)
        )

    def new_generation(self, document_id: UUID) -> int:
        """The number of a fresh generation of a document, which is not garbage until `forget_drafts`."""
        with self.writing:
            return self._new_generation(document_id)

    def _new_generation(self, document_id: UUID) -> int:
        # Runs that know nothing of each other share a generation as seldom as they draw the same 20 bits in the same
        # epoch and reach the same number with documents of one bucket; and one can see when it was begun.
        if self._begun_at is None:
            self._begun_at = self.epoch()
        if self._number >> NUMBER_BITS:
            self._run, self._number = secrets.randbits(RUN_BITS), 0
        within = (self._run << NUMBER_BITS | self._number) << BUCKET_BITS | document_id.int % (1 << BUCKET_BITS)
        generation = first_generation(self._begun_at) | within
        self._number += 1
        self._drafts.add(generation)
        self.client.drafts.add(generation)
        return generation

    def forget_drafts(self, generations: Iterable[int]) -> None:
        """Drafts that have been published; what is begun from now on gets a higher number."""
        with self.writing:
            known = set(generations)
            self._drafts.difference_update(known)
            self.client.drafts.difference_update(known)
            self._begun_at = None

    def cells(self) -> Cells | None:
        """The newest version of the cells, which new chunks are put into; None while there are none."""
        found = self._cells  # looked at once: another thread may be at `forget_cells`
        if not found:
            found = self._cells = [read_cells(self.client.query(Statement("cells")))]
        return found[0]

    def forget_cells(self) -> None:
        """Looks for a newer version of the cells before the next insert."""
        self._cells = []

    def insert(self, passages: Passages) -> None:
        """Stores chunks of drafts. They stay invisible until `publish`."""
        self._insert_words(passages)
        for first in range(0, len(passages.chunks), ROWS_PER_INSERT):
            rows = range(first, len(passages.chunks))[:ROWS_PER_INSERT]
            self._insert_references(passages, rows)
            columns = chunk_columns(passages, rows, self.cells())
            drafts = {passages.chunks[row][0].generation: passages.chunks[row][0] for row in rows}
            self._insert_surely("chunks", columns, lambda drafts=drafts: self._arrived_chunks(drafts.values()))  # type: ignore[misc]

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
        with self.writing:
            self._check_calibrations(drafts, set(names))
            self.arrive(drafts)
            epoch = self.publish_rows(
                lambda epoch: (
                    [manifest_row(draft, epoch) for draft in drafts]
                    + [deletion_row(document, epoch) for document in removed]
                )
            )
            self.forget_drafts(draft.generation for draft in drafts)
            self._begun_at = epoch
        return epoch

    def arrive(self, drafts: Sequence[Draft]) -> None:
        """Stores the extracted texts of drafts and counts back everything; StoreError where something is missing."""
        self._insert_texts(drafts)
        self._verify(drafts)
        self._verify_words(drafts)

    def publish_rows(self, rows_at: Callable[[int], list[dict[str, Any]]]) -> int:
        """Takes the next epoch and inserts the manifest rows for it, all of which appear at the same time.

        Where there are none to insert the epoch stays what it was. Returns the newest epoch.
        """
        with self.writing, self._publishing() as still_ours:
            epoch = int(self.client.query(Statement("newest_epoch"))[0]["epoch"]) + 1
            rows = rows_at(epoch)
            if not rows:
                return epoch - 1
            still_ours()
            # One insert of one block is one part.
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            self._insert_surely("manifest", columns, lambda: self._arrived_manifest(epoch, columns["generation"]))
            if self._cluster is not None:
                self._commit(epoch)
        return epoch

    @contextmanager
    def _publishing(self) -> Iterator[Callable[[], None]]:
        """The right to take the next epoch; yields a check that it has not been lost meanwhile.

        Of an embedded store one process writes, and in it the thread that holds `writing`; on a server it takes the lease.
        """
        server = self.client.location.server
        if server is None or not self._has_lease():
            yield lambda: None
            return
        lease = PublishLease(
            self.client if self._cluster is None else self._cluster.first(), LEASE_TIMEOUTS * server.timeout
        )
        with lease.held() as token:
            yield lambda: lease.require(token)

    def _commit(self, epoch: int) -> None:
        """Lets readers of a cluster read at an epoch; a second row for it says nothing new."""
        try:
            self.client.insert("commits", {"epoch": [epoch]})
        except StoreUnreachable:
            time.sleep(SETTLE_SECONDS)
            self.client.insert("commits", {"epoch": [epoch]})

    def _insert_surely(self, table: str, columns: dict[str, Any], arrived: Callable[[], set[int]]) -> None:
        """An insert that, where the connection was cut, looks which generations are there and sends the others again.

        Nothing is sent twice that was seen to have arrived. Rows that arrive only after the look are counted as too
        many before they are published, and of rows in the manifest a second copy says nothing new.
        """
        try:
            self.client.insert(table, columns)
        except StoreUnreachable:
            time.sleep(SETTLE_SECONDS)
            there = arrived()
            rows = [row for row, generation in enumerate(columns["generation"]) if generation not in there]
            if rows:
                self.client.insert(table, {name: some_of(values, rows) for name, values in columns.items()})

    def _arrived_chunks(self, drafts: Iterable[Draft]) -> set[int]:
        """The drafts all of whose chunks so far are in the store."""
        sent = {draft.generation: (draft.chunk_count, draft.row_hash_sum) for draft in drafts}
        rows = self.client.query(Statement("count_generations", {"generations": sorted(sent)}))
        return {
            row["generation"] for row in rows if sent[row["generation"]] == (row["chunk_count"], row["row_hash_sum"])
        }

    def _arrived_texts(self, generations: list[int]) -> set[int]:
        """The drafts whose extracted text is in the store."""
        rows = self.client.query(Statement("count_texts", {"generations": generations}))
        return {row["generation"] for row in rows}

    def _arrived_manifest(self, epoch: int, generations: list[int]) -> set[int]:
        """The generations that have a manifest row at an epoch."""
        rows = self.client.query(Statement("published_generations", {"epoch": epoch, "generations": generations}))
        return {row["generation"] for row in rows}

    def collect_garbage(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Deletes generations that have been invisible for `grace_seconds` of this process; returns how many.

        What cannot be deleted now, for want of space, is left to the next time and announced: it harms nobody.
        """
        with self.writing:
            now = time.monotonic()
            rows = self.client.query(Statement("dead_generations", {"epoch": self.epoch()}))
            dead = {row["generation"] for row in rows} - self.client.drafts
            self._dead_since = {generation: self._dead_since.get(generation, now) for generation in dead}
            due = sorted(generation for generation, since in self._dead_since.items() if now - since >= grace_seconds)
            return self._try_to_delete(due)

    def collect_superseded(self, grace_seconds: float = SERVER_GRACE_SECONDS) -> int:
        """On a server: deletes generations that were replaced more than `grace_seconds` ago, if this user may.

        Other runs may be at work, so drafts are left alone unless a newer version of their document is published; the
        age is told by the server's clock, because the runs of a timetable are too short to watch it pass.
        """
        if not self._may_delete():
            return 0
        values = {"grace_milliseconds": int(grace_seconds * 1000)}
        due = [row["generation"] for row in self.client.query(Statement("superseded_generations", values))]
        deleted = self._try_to_delete(due)
        if not self._has_lease():
            return deleted
        keeper = self.client if self._cluster is None else self._cluster.first()
        token = keeper.query(Statement("lease"))[0]["token"]
        keeper.execute(Statement("delete_leases", {"token": token}), repeatable=True)
        return deleted

    def _may_delete(self) -> bool:
        """Whether this user has the right to delete rows; a server too old to be asked counts as no."""
        try:
            keeper = self.client if self._cluster is None else self._cluster.first()
            return keeper.holds(Statement("may_delete"))
        except StoreUnreachable:
            raise
        except StoreError:
            return False

    def _try_to_delete(self, due: Sequence[int]) -> int:
        """Deletes generations; returns how many, 0 where that was given up."""
        try:
            self.delete_generations(due)
        except StoreError as error:
            self.announce(str(error))
            return 0
        return len(due)

    def delete_generations(self, due: Sequence[int]) -> None:
        """Deletes all that is stored of some generations; StoreError where the database does not get on with it."""
        for first in range(0, len(due), GENERATIONS_PER_DELETE):
            batch = {"generations": list(due[first : first + GENERATIONS_PER_DELETE])}
            self._delete(
                Statement("delete_postings", batch),
                Statement("delete_lengths", batch),
                Statement("delete_chunks", batch),
                Statement("delete_texts", batch),
                Statement("delete_float_references", batch),
            )

    def delete_words(self, generations: Sequence[int]) -> None:
        """Deletes the words of generations, which then can be found by their vectors alone."""
        for first in range(0, len(generations), GENERATIONS_PER_DELETE):
            batch = {"generations": list(generations[first : first + GENERATIONS_PER_DELETE])}
            self._delete(Statement("delete_postings", batch), Statement("delete_lengths", batch))

    def _delete(self, *statements: Statement) -> None:
        """Runs statements that delete rows, one after the other, on every shard there is."""
        for statement in statements:
            if self._cluster is not None:
                self._cluster.delete(statement)
            else:
                self.client.delete(statement)

    def _insert_references(self, passages: Passages, rows: range) -> None:
        kept = [row for row in rows if row in passages.references]
        if kept:
            columns: dict[str, list[Any]] = {
                "generation": [passages.chunks[row][0].generation for row in kept],
                "chunk_index": [passages.chunks[row][1].index for row in kept],
                "vector": [list(passages.references[row]) for row in kept],
            }
            self.client.insert("float_references", columns)

    def _check_calibrations(self, drafts: Sequence[Draft], replaced: set[UUID]) -> None:
        """Raises StoreError where codes of different calibrations would be visible at once: one query reads them all."""
        versions = {draft.calibration for draft in drafts if draft.chunk_count}
        if versions <= {0}:
            return
        used = self.calibration(self.epoch())
        if used is None or versions == {used.version}:
            others: list[LiveDocument] = []
        else:
            others = [one for one in self.documents() if one.chunk_count and one.document_id not in replaced]
        if len(versions) > 1 or others:
            raise StoreError(
                f"codes of calibration {max(versions)} cannot be published while {len(others)} documents have older "
                f"ones ({others[0].source if others else drafts[0].document.source}): calibrate again with all folders "
                "of the store"
            )

    def _insert_words(self, passages: Passages) -> None:
        """Stores the words of chunks: lengths before postings, so that every generation with postings can be found."""
        rows = [
            (draft.generation, chunk.index, words)
            for (draft, chunk), words in zip(passages.chunks, passages.words, strict=False)
        ]
        for first in range(0, len(rows), WORD_ROWS_PER_INSERT):
            some = rows[first : first + WORD_ROWS_PER_INSERT]
            self.client.insert("lengths", length_columns(some))
            if postings := posting_columns(some):
                self.client.insert("postings", postings)
        for (draft, chunk), words in zip(passages.chunks, passages.words, strict=False):
            draft.words_count += 1
            draft.posting_count += len(words.terms)
            draft.words_checksum = (draft.words_checksum + words_checksum(words, chunk.index)) & MASK_64

    def _insert_texts(self, drafts: Sequence[Draft]) -> None:
        converted = [draft for draft in drafts if draft.document.extracted_text is not None]
        if converted:
            texts = [draft.document.extracted_text or "" for draft in converted]
            columns: dict[str, list[Any]] = {
                "generation": [draft.generation for draft in converted],
                "document_id": [draft.document_id for draft in converted],
                "source": [draft.document.source for draft in converted],
                "text": texts,
                "row_hash": [text_hash(text) for text in texts],
            }
            self._insert_surely("texts", columns, lambda: self._arrived_texts(columns["generation"]))

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

    def _verify_words(self, drafts: Sequence[Draft]) -> None:
        """Counts back what has arrived of their words."""
        generations = {"generations": [draft.generation for draft in drafts if draft.words_count]}
        if not generations["generations"]:
            return
        lengths = {row["generation"]: row for row in self.client.query(Statement("count_lengths", generations))}
        postings = {row["generation"]: row for row in self.client.query(Statement("count_postings", generations))}
        nothing = {"chunk_count": 0, "posting_count": 0, "checksum_sum": 0}
        for draft in drafts:
            promised, stored = (found.get(draft.generation, nothing) for found in (lengths, postings))
            sent = (draft.words_count, draft.posting_count, draft.words_checksum)
            if sent != tuple(promised[name] for name in nothing) or sent[1:] != (
                stored["posting_count"],
                stored["checksum_sum"],
            ):
                raise StoreError(
                    f"{draft.document.source}: of its {draft.posting_count} words {stored['posting_count']} arrived in "
                    f"{self.client.location}; nothing was published, run the command again"
                )


def definition_values(encoder: EncoderIdentity) -> dict[str, Value]:
    """What the definitions of tables bind."""
    return {"dimensions": encoder.dimensions, "sign_bytes": sign_bytes(encoder.dimensions)}


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
            f"{SCHEMA_VERSION}: bring it up to date with `python -m rag migrate --db {location}`"
        )


def some_of(column: list[Any] | NDArray[Any], rows: list[int]) -> list[Any] | NDArray[Any]:
    """Some rows of a column of an insert."""
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


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


def chunk_columns(passages: Passages, rows: range, cells: Cells | None = None) -> dict[str, Any]:
    """Some rows of passages as the columns of an insert; counts them in their drafts."""
    vectors, some = passages.vectors.rows(rows), passages.chunks[rows.start : rows.stop]
    norms, signs, hashes = vectors.norms(), vector_signs(vectors), chunk_hashes(some, vectors)
    for (draft, _), row_hash in zip(some, hashes, strict=True):
        draft.calibration = vectors.calibration.version if vectors.calibration else 0
        draft.chunk_count += 1
        draft.row_hash_sum = (draft.row_hash_sum + row_hash) & MASK_64
    numbers = np.zeros(len(some), np.int64) if cells is None else cells.numbers(vectors.dequantize())
    return {
        "cell": numbers.astype(np.uint32),
        "generation": np.array([draft.generation for draft, _ in some], np.uint64),
        "chunk_index": np.array([chunk.index for _, chunk in some], np.uint32),
        "document_id": [draft.document_id for draft, _ in some],
        "source": [draft.document.source for draft, _ in some],
        "title": [draft.document.title for draft, _ in some],
        "heading": [chunk.heading for _, chunk in some],
        "char_start": np.array([chunk.start for _, chunk in some], np.uint64),
        "char_end": np.array([chunk.end for _, chunk in some], np.uint64),
        "line": np.array([chunk.line for _, chunk in some], np.uint32),
        "page": np.array([chunk.page for _, chunk in some], np.uint32),
        "tokens": np.array([chunk.tokens for _, chunk in some], np.uint16),
        "text": [chunk.text for _, chunk in some],
        "metadata": [draft.metadata for draft, _ in some],
        "outline": [chunk.outline.as_json() for _, chunk in some],
        "codes": vectors.codes,
        "scale": vectors.scale,
        "zero_point": vectors.zero_point,
        "norm": norms,
        "signs": signs.view(f"V{signs.shape[1]}").reshape(-1),
        "row_hash": np.array(hashes, np.uint64),
    }


def chunk_hashes(chunks: Sequence[tuple[Draft, Chunk]], vectors: QuantizedVectors) -> list[int]:
    """BLAKE2b-64 of each row: place, vector, text, metadata and outline; not where it lies in the table."""
    packed = np.empty(len(chunks), dtype=[("scale", "<f4"), ("zero_point", "i1"), ("codes", "i1", vectors.dimensions)])
    packed["scale"], packed["zero_point"], packed["codes"] = vectors.scale, vectors.zero_point, vectors.codes
    size, data = packed.itemsize, packed.tobytes()
    hashes = []
    for row, (draft, chunk) in enumerate(chunks):
        digest = blake2b(PLACE.pack(chunk.index, chunk.start, chunk.end, chunk.line, chunk.page), digest_size=8)
        digest.update(data[row * size : (row + 1) * size])
        digest.update(chunk.text.encode() + hashed_ending(draft.metadata, chunk.outline.as_json()))
        hashes.append(int.from_bytes(digest.digest(), "little"))
    return hashes


def hashed_ending(metadata: str, outline: str) -> bytes:
    """What the hash of a row ends with; without an outline it is that of version 2, which had none."""
    return b"\0" + metadata.encode() + (b"\0" + outline.encode() if outline else b"")


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
        "calibration": draft.calibration,
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
        "calibration": 0,
    }


def describe(encoder: EncoderIdentity, quantizer: str) -> str:
    """An encoder in a few words, for messages."""
    digest = encoder.model_sha256[:8]
    return (
        f"encoder {encoder.model} ({encoder.dimensions} dimensions, {encoder.weights}, weights {digest}, {quantizer})"
    )
