"""A store in; out comes how many rows it holds, what a vector takes column by column, and what is left of old versions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreError
from sql.base.wording import counted
from sql.engine.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sql.records.chunking import ChunkSettings
    from sql.store import Collection, Store

FLOAT_BYTES = 4  # of one number of a float32 vector


@dataclass(frozen=True, slots=True)
class ColumnBytes:
    """The bytes that a column keeps of one vector: as stored values, and on disk where the engine knows it."""

    column: str
    bytes: int
    bytes_on_disk: float | None


@dataclass(frozen=True, slots=True)
class TableBytes:
    """What a table takes on disk, marks and indexes included."""

    table: str
    parts: int
    rows: int
    bytes_on_disk: int


@dataclass(frozen=True, slots=True)
class Stats:
    """A store in numbers.

    `chunking` is how the newest ingest has cut documents, None where there was none; `dead_rows` are chunks of superseded
    or unpublished versions, which no reader sees.
    """

    store: str
    collection: Collection
    chunking: ChunkSettings | None
    epoch: int
    documents: int
    rows: int
    live_rows: int
    live_generations: int
    dead_generations: int
    vector: tuple[ColumnBytes, ...]
    tables: tuple[TableBytes, ...]

    @property
    def dead_rows(self) -> int:
        """Rows that garbage collection will remove."""
        return self.rows - self.live_rows

    @property
    def float_bytes(self) -> int:
        """What a float32 vector of these dimensions takes."""
        return FLOAT_BYTES * self.collection.encoder.dimensions

    @property
    def vector_bytes(self) -> int:
        """What a vector takes with its scale, its zero-point and all else that is kept of it."""
        return sum(column.bytes for column in self.vector)

    @property
    def vector_bytes_on_disk(self) -> float | None:
        """The same on disk; None where the engine does not know."""
        known = [column.bytes_on_disk for column in self.vector if column.bytes_on_disk is not None]
        return sum(known) if known and len(known) == len(self.vector) else None

    @property
    def bytes_on_disk(self) -> int:
        """All tables together."""
        return sum(table.bytes_on_disk for table in self.tables)


def read_stats(store: Store) -> Stats:
    """Counts and measures a store at its newest epoch."""
    collection = store.collection()
    if collection is None:
        raise StoreError(f"the store {store.client.location} is empty: there is nothing to count")
    now, query = store.snapshot(), store.client.query
    epoch = now.epoch
    (counts,) = query(Statement("stats_rows", {"epoch": epoch}))
    return Stats(
        store=str(store.client.location),
        collection=collection,
        chunking=now.chunk_settings(),
        epoch=epoch,
        documents=counts["documents"],
        rows=counts["rows"],
        live_rows=counts["live_rows"],
        live_generations=counts["live_generations"],
        dead_generations=counts["generations"] - counts["live_generations"],
        vector=tuple(read_vector_bytes(store)),
        tables=tuple(TableBytes(**row) for row in query(Statement("stats_tables"))),
    )


def read_vector_bytes(store: Store) -> Iterator[ColumnBytes]:
    """The columns that a vector is made of; none for a store without rows."""
    disk = {row["column"]: row["bytes_on_disk"] / row["rows"] for row in store.client.query(Statement("stats_columns"))}
    collection = store.collection()
    in_pairs = collection is not None and collection.vector_quantizer.bits == 4
    for row in store.client.query(Statement("stats_pairs") if in_pairs else Statement("stats_vector")):
        yield from (ColumnBytes(name, size, disk.get(name)) for name, size in row.items())


def stats_record(stats: Stats) -> dict[str, Any]:
    """The numbers as JSON; bytes on disk are null where the engine does not know them."""
    encoder = stats.collection.encoder
    return {
        "store": stats.store,
        "schema_version": stats.collection.schema_version,
        "model": encoder.model,
        "weights": encoder.weights,
        "quantizer": stats.collection.quantizer,
        "dimensions": encoder.dimensions,
        "epoch": stats.epoch,
        "chunking": asdict(stats.chunking) if stats.chunking else None,
        "documents": stats.documents,
        "rows": stats.rows,
        "live_rows": stats.live_rows,
        "dead_rows": stats.dead_rows,
        "live_generations": stats.live_generations,
        "dead_generations": stats.dead_generations,
        "vector": {
            "columns": [asdict(column) for column in stats.vector],
            "bytes": stats.vector_bytes,
            "bytes_on_disk": stats.vector_bytes_on_disk,
            "float32_bytes": stats.float_bytes,
        },
        "tables": [asdict(table) for table in stats.tables],
        "bytes_on_disk": stats.bytes_on_disk,
    }


def stats_lines(stats: Stats) -> Iterator[str]:
    """The numbers as lines for a person."""
    encoder = stats.collection.encoder
    yield f"store        {stats.store}, schema version {stats.collection.schema_version}, epoch {stats.epoch}"
    weights = encoder.weights if "weights" in encoder.weights else f"weights {encoder.weights}"
    yield f"model        {encoder.model}, {encoder.dimensions} dimensions, {weights}"
    yield f"vectors      {stats.collection.quantizer}"
    if one := stats.chunking:
        headings = "with" if one.headings else "without"
        yield f"chunking     at most {one.size} tokens, {one.overlap} of them repeated, embedded {headings} headings"
    yield f"documents    {stats.documents:,}"
    yield f"chunks       {stats.live_rows:,} live in {counted(stats.live_generations, 'generation')}"
    yield f"left over    {stats.dead_rows:,} in {counted(stats.dead_generations, 'dead generation')}"
    yield ""
    yield f"{'a vector':12}{'bytes':>10}{'on disk':>10}"
    for column in stats.vector:
        yield f"{column.column:12}{column.bytes:10,}{shown(column.bytes_on_disk)}"
    if stats.vector:
        yield f"{'together':12}{stats.vector_bytes:10,}{shown(stats.vector_bytes_on_disk)}"
    ratio = f"   {stats.float_bytes / stats.vector_bytes:.1f} times as much" if stats.vector else ""
    yield f"{'float32':12}{stats.float_bytes:10,}{ratio}"
    yield ""
    yield f"{'table':12}{'parts':>10}{'rows':>12}{'bytes on disk':>16}"
    for table in stats.tables:
        yield f"{table.table:12}{table.parts:10,}{table.rows:12,}{table.bytes_on_disk:16,}"
    yield f"{'all':34}{stats.bytes_on_disk:16,}"


def shown(size: float | None) -> str:
    """Bytes on disk, or a dash where the engine does not know: it does from 10 MiB on."""
    return f"{'-':>10}" if size is None else f"{size:10,.1f}"
