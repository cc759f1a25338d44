"""The store: opened at a place, made once with an encoder and a quantizer, read as snapshots and written by one writer.

Chunks of a new version of a document are inserted under a fresh generation, which nobody sees. After they have been
counted back, one manifest row publishes the generation. A read is two statements: the highest published epoch, then the
search among what was published by then. Superseded generations stay until no reader can need them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sql.base.errors import NoStore, StoreError, StoreMismatch, StoreUnreachable, to_run
from sql.engine.client import Client
from sql.engine.cluster import Cluster
from sql.engine.lease import has_lease
from sql.engine.location import Location, parse_location
from sql.engine.statements import Statement, dialect_statements, schema_statements, server_statements
from sql.records.calibration import PER_DIMENSION, Quantizer
from sql.search.search import Searcher
from sql.search.signs import sign_bytes
from sql.store.collection import Collection, CollectionTable, check_schema_version
from sql.store.damage import check_parts
from sql.store.garbage import Garbage
from sql.store.migrate import migrate
from sql.store.snapshot import Snapshot
from sql.store.writer import Writer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sql.engine.statements import Value
    from sql.records import EncoderIdentity

FOUR_BITS = "four_bits"  # the folder of what a store has whose codes lie two in a byte
TESTED_SERVER = "26.9"  # others are refused only where the probe finds that they compute otherwise


@dataclass
class Store:
    """One collection of documents behind a client. Reading and writing are safe from any thread.

    `announce` is told what was left undone. Threads that write take turns where they have to; one that does several things
    which belong together holds `writing` meanwhile.
    """

    client: Client
    announce: Callable[[str], None] = lambda sentence: None
    cluster: Cluster | None = None
    set_aside: list[Path] = field(default_factory=list)  # what the engine could not read of it, see sql.store.damage
    _latest: Snapshot | None = None
    _newest: tuple[int | None, int] | None = None  # how much had been written when an epoch was the newest
    _reach: tuple[int, int] | None = None  # how much of the manifest the user of a server could read then
    _latest_reach: tuple[int, int] | None = None  # and when the latest snapshot was taken

    def __post_init__(self) -> None:
        self.made_with = CollectionTable(self.client)

    @cached_property
    def writer(self) -> Writer:
        """What puts documents into it."""
        return Writer(self.client, self.cluster, self.made_with, self.snapshot)

    @cached_property
    def garbage(self) -> Garbage:
        """What deletes that which nobody can see any more."""
        return Garbage(self.client, self.cluster, self.snapshot, self.announce)

    @classmethod
    def open(
        cls,
        location: str | Location,
        *,
        write: bool = False,
        yields: bool = False,
        announce: Callable[[str], None] = lambda sentence: None,
    ) -> Self:
        """Opens the store at a folder or DSN. Only a writer makes a new one, or brings an old one up to date.

        A reader of a folder that `yields` gives it to another process that wants to write, and reads through that one.

        Raises NoStore where there is none to read, StoreBusy where another process has it, StoreMismatch where it
        was written by a newer version, or by an older one and is only to be read.
        """
        place = location if isinstance(location, Location) else parse_location(location)
        if not write:
            place.require_store()
        store = cls(Client(place, read_only=not write, create_database=write, yields=yields), announce)
        try:
            if place.server is not None:
                store.cluster = Cluster(store.client, place.server) if place.server.cluster else None
                store._probe()
            store.set_aside = check_parts(place, write=write, announce=announce)
            if write:
                migrate(store.client, announce)
            collection = store.collection()
            if collection is None and not write:
                raise NoStore(f"the store {place} is empty: fill it with {to_run('ingest FOLDER', place)}")
            if collection is not None:
                check_schema_version(place, collection.schema_version)
            store.client.answer_readers()
            if write and collection is not None and store.client.first_in_process:
                store.garbage.collect_at_once()
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
        return self.cluster is not None

    @property
    def emptiness(self) -> str:
        """What is said of it where it holds nothing: who fills it, or how it is filled."""
        place = self.client.location
        if place.server is None and not self.client.runs_engine:
            return f"the store {place} holds nothing yet: another process is writing it, ask again in a moment"
        return f"the store {place} is empty: fill it with {to_run('ingest FOLDER', place)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the store back; another process can open it at once."""
        self.writer.close()
        if self.cluster is not None:
            self.cluster.close()
        self.client.close()

    @property
    def writing(self) -> threading.RLock:
        """Held by the one thread that writes, of all that have the store open in this process."""
        return self.client.writing

    # What the store was made with

    def collection(self) -> Collection | None:
        """What the vectors were made with, which never changes; None for a store without tables."""
        return self.made_with.newest()

    def prepare(self, encoder: EncoderIdentity, quantizer: str, analyser: str = "") -> None:
        """Makes the tables of a new store, or checks that an old one was made with the same things."""
        with self.writing:
            self._prepare(encoder, quantizer, analyser)

    def _prepare(self, encoder: EncoderIdentity, quantizer: str, analyser: str) -> None:
        if self.collection() is not None:
            self.made_with.check_encoder(encoder, quantizer)
            if has_lease(self.client) and self.cluster is None and "lease" not in self.made_with.table_names():
                self._create(server_statements(), encoder)
            if analyser:
                self.made_with.check_analyser(analyser)
            return
        definitions = schema_statements(*own_definitions(Quantizer.from_name(quantizer)))
        if self.cluster is not None:
            self.cluster.create(definitions, definition_values(encoder))
        else:
            server = self.client.location.server
            self._create(definitions + (dialect_statements(server.dialect) if server else ()), encoder)
        self.made_with.insert_first(encoder, quantizer, analyser)

    def _create(self, statements: Iterable[str], encoder: EncoderIdentity) -> None:
        for name in statements:
            self.client.create(name, definition_values(encoder))

    def revise(self, **changes: Any) -> None:
        """A new revision of what the store was made with; what is remembered of the words is forgotten."""
        self.made_with.revise(**changes)
        self._latest = None

    # Reading

    def epoch(self) -> int:
        """The highest published epoch, 0 for an empty store. Looked up again only where something may have been written."""
        changes, known = self.client.changes, self._newest
        if changes is None or known is None or known[0] != changes:
            known = self._newest = changes, self._look_up_epoch()
        return known[1]

    def _look_up_epoch(self) -> int:
        if not self.made_with.has_groups():
            return int(self.client.query(Statement("epoch"))[0]["epoch"])
        (row,) = self.client.query(Statement("epoch_within_reach"))
        self._reach = row["row_count"], row["generation_sum"]
        # Of a cluster readers have their epochs from another table, when the rows of the manifest are on every shard.
        return int((self.client.query(Statement("epoch"))[0] if self.is_cluster else row)["epoch"])

    def snapshot(self, epoch: int | None = None) -> Snapshot:
        """The store at an epoch, by default the latest. What was remembered of it is there again while it is the newest, and
        while its user may read the same documents.
        """
        newest = self.epoch() if epoch is None or self.made_with.has_groups() else epoch
        at, known = newest if epoch is None else epoch, self._latest
        if known is not None and known.epoch == at and self._latest_reach == self._reach:
            return known
        before = known.searcher if known is not None else None
        searcher = before.at(at) if before else Searcher(self.client, at)
        found = Snapshot(self.client, self.made_with, searcher)
        self._latest, self._latest_reach = found, self._reach
        return found


def own_definitions(quantizer: Quantizer) -> tuple[str, ...]:
    """The folders of the tables and views that a store has instead of everybody's, because of what its codes are."""
    return (PER_DIMENSION,) * (quantizer.granularity == PER_DIMENSION) + (FOUR_BITS,) * (quantizer.bits == 4)


def definition_values(encoder: EncoderIdentity) -> dict[str, Value]:
    """What the definitions of tables bind."""
    return {"dimensions": encoder.dimensions, "sign_bytes": sign_bytes(encoder.dimensions)}
