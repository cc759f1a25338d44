"""An old store in, the same store with the tables of this program out: step by step, whenever it is killed.

How far a migration has come is read from the tables themselves: each step looks whether it is still to be done, does it
under another name, and takes effect in one statement. The row of `collection` that names the new version comes last;
until then a reader is refused, and the next writer goes on.

Version 1 to 2: chunks get a cell, metadata and signs, and hashes that cover the metadata; the manifest gets the version
of the calibration, and these hashes. Generations and epochs stay, so that a search that began before finds the same
rows in the old table and in the new one. The words of the chunks are not a matter of SQL: the store has none until
`rag.index.word_index` has made them from the stored texts.

Version 2 to 3: chunks get an outline, empty until their documents are ingested again, which the new name of the chunker
brings about. Hashes stay: a row without an outline has the hash that it had. On a cluster every node is changed.

Version 3 to 4: the table of places, which older documents have none of, what the manifest promises of them, and the names
of the places of chunks. Hashes stay here too.

Version 4 to 5: how far each vector is from its codes, as far as these tell, and views that make use of it. No hash covers it.
And the way of searching that was chosen for a budget, which older stores have not.

Version 5 to 6: the prompts that were given in place of the model's own. Older stores were made with the model's own.

Version 6 to 7: the table of queries, empty, and how long they are kept.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.base.errors import StoreError
from sql.base.sums import MASK_64
from sql.engine.cluster import Cluster
from sql.engine.packed import read_vectors
from sql.engine.statements import Statement
from sql.records.calibration import PER_DIMENSION, Quantizer
from sql.search.signs import sign_bytes, vector_signs
from sql.store.known_errors import HALF_STEP, has_own_ranges
from sql.store.rows import generation_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sql.engine.client import Client, Row

ROWS_PER_INSERT = 20_000  # one block, which arrives whole or not at all
NO_METADATA = "{}"
NEW_IN_2 = {"chunks": "signs", "manifest": "calibration"}  # a column that tells the new table from the old one
TABLES_2 = ("25_calibrations", "35_cells", "41_lengths", "42_postings", "45_float_references")
TABLES_4, COLUMNS_4 = ("43_places",), ("20_manifest", "30_chunks")
DEFINITIONS_4 = ("60_live_documents", "61_live_chunks", "64_live_places", "65_highlights")
COLUMNS_5 = ("10_collection", "30_chunks")
LOCAL_5 = ("31_chunks",)  # constraints, which a Distributed table does not have
DEFINITIONS_5 = ("55_rag_query_length", "56_rag_query_error", "57_rag_score_radius", "61_live_chunks")
DRIFT_5 = ("67_vector_drift", "68_score_drift")
FLOAT32_SLACK = 2**-23  # by which float32 may round down
TABLES_7, COLUMNS_7 = ("46_queries",), ("10_collection",)
DEFINITIONS_2 = ("54_rag_inner_product", "61_live_chunks", "62_live_vectors", "63_nearest_chunks")


def stored_version(client: Client) -> int | None:
    """The schema version of a store; None where there is no store as yet."""
    if "collection" not in table_columns(client):
        return None
    rows = client.query(Statement("schema_version"))
    return int(rows[0]["schema_version"]) if rows else None


def migrate(client: Client, announce: Callable[[str], None] = lambda sentence: None) -> None:
    """Brings a store to the newest version, where it has an older one; `announce` is told what is done.

    Raises StoreError where what was copied is not what was there: then the old tables are still in their place or kept.
    """
    version = stored_version(client)
    if version is None:
        return
    for known, steps in MIGRATIONS.items():
        if version < known:
            announce(f"{client.location}: bringing schema version {known - 1} to {known}")
            for step in steps:
                step(client)


def table_columns(client: Client) -> dict[str, set[str]]:
    """The columns of each table that a migration works on, of those that exist."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in client.query(Statement("migration_columns")):
        found[row["table"]].add(row["name"])
    return dict(found)


def is_old(client: Client, table: str) -> bool:
    """Whether a table still has the form of version 1."""
    return NEW_IN_2[table] not in table_columns(client)[table]


# Version 1 to 2, step by step


def add_tables(client: Client) -> None:
    """The tables that are new, empty, and the column that `collection` gets."""
    sizes = vector_sizes(client)
    for name in ("10_collection", *TABLES_2):
        client.create(f"migrations/2/{name}.sql", sizes)


def copy_chunks(client: Client) -> None:
    """Fills the new table with every chunk that can be seen; goes on where a killed run has stopped."""
    if not is_old(client, "chunks"):
        return
    sizes = vector_sizes(client)
    client.create("migrations/2/30_chunks.sql", sizes)
    client.create("migrations/2/20_manifest.sql", sizes)
    promised = {row["generation"]: row for row in live_documents(client) if row["chunk_count"]}
    copied = {row["generation"]: row["chunk_count"] for row in client.query(Statement("migration_2_copied"))}
    torn = [generation for generation, count in copied.items() if count != chunk_count(promised.get(generation))]
    if torn:
        client.execute(Statement("migration_2_remove", {"generations": torn}))
    missing = [row for generation, row in promised.items() if generation not in copied or generation in torn]
    for generations in generation_batches(missing):
        rows = client.query(Statement("migration_2_rows", {"generations": generations}))
        check_rows(rows, [promised[generation] for generation in generations])
        for first in range(0, len(rows), ROWS_PER_INSERT):
            client.insert("chunks_2", new_columns(rows[first : first + ROWS_PER_INSERT]))


def copy_manifest(client: Client) -> None:
    """Fills the new manifest in one statement; what a killed run has left of it is thrown away first."""
    if not is_old(client, "chunks"):
        return
    (counts,) = client.query(Statement("migration_2_manifest_counts"))
    if counts["copied_rows"] == counts["manifest_rows"]:
        return
    if counts["copied_rows"]:
        client.execute(Statement("migration_2_empty_manifest"))
    client.execute(Statement("migration_2_manifest"))


def verify_copies(client: Client) -> None:
    """Compares both forms of the tables row by row; raises StoreError where they differ."""
    present = table_columns(client)
    different = []
    if "chunks_2" in present:
        values = {"epoch": newest_epoch(client)}
        different += client.query(Statement("migration_2_different_chunks", values))
    if "manifest_2" in present:
        different += client.query(Statement("migration_2_different_manifest"))
    if different:
        raise StoreError(
            f"{client.location}: {len(different)} documents are not what they were after they were copied into new "
            "tables; the old ones are kept, ingest the documents into a new store with another --db"
        )


def exchange_tables(client: Client) -> None:
    """Puts the new tables in the place of the old ones, each in one statement, unless that was done before.

    A second time would undo it, so the statements are never repeated: a cut connection ends the run, and the next looks.
    """
    for table, statement in (
        ("chunks", Statement("migration_2_exchange_chunks")),
        ("manifest", Statement("migration_2_exchange_manifest")),
    ):
        if is_old(client, table):
            client.execute(statement)


def replace_definitions(client: Client) -> None:
    """Views that show the new columns, and the function that is new."""
    for name in DEFINITIONS_2:
        client.create(f"migrations/2/{name}.sql", {})


def drop_old_tables(client: Client) -> None:
    """Drops the tables of version 1, after all has been compared for the last time."""
    verify_copies(client)
    damaged = client.query(Statement("damaged_documents", {"epoch": newest_epoch(client)}))
    if damaged:
        raise StoreError(
            f"{client.location}: after the migration {damaged[0]['path']} has {damaged[0]['stored']} of "
            f"{damaged[0]['promised']} chunks; the old tables are kept as chunks_2 and manifest_2"
        )
    client.execute(Statement("migration_2_drop_manifest"))
    client.execute(Statement("migration_2_drop_chunks"))


def name_version_2(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 2, "analyser": ""})


# Version 2 to 3


def add_outlines(client: Client) -> None:
    """The column for outlines, wherever the chunks lie."""
    server = client.location.server
    if server is None or not server.cluster:
        client.create("migrations/3/30_chunks.sql", {})
        return
    with closing(Cluster(client, server)) as cluster:
        cluster.alter("migrations/3/30_chunks.sql")


def name_version_3(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 3})


# Version 3 to 4


def add_places(client: Client) -> None:
    """The table of places, the columns that go with it, and views that show them, on every node there is."""
    views = [
        *DEFINITIONS_4,
        "dimension/63_nearest_chunks" if shares_ranges_per_dimension(client) else "63_nearest_chunks",
    ]
    tables, columns, definitions = (
        [f"migrations/4/{name}.sql" for name in names] for names in (TABLES_4, COLUMNS_4, views)
    )
    server = client.location.server
    if server is None or not server.cluster:
        for name in (*tables, *columns, *definitions):
            client.create(name, {})
        return
    with closing(Cluster(client, server)) as cluster:
        cluster.create(tuple(tables), {})
        for name in (*columns, *definitions):
            cluster.alter(name)


def shares_ranges_per_dimension(client: Client) -> bool:
    """Whether the codes of a store have one range a dimension, which its views have to know."""
    (row,) = client.query(Statement("collection"))
    return Quantizer.from_name(row["quantizer"]).granularity == PER_DIMENSION


def name_version_4(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 4})


# Version 4 to 5


def add_errors(client: Client) -> None:
    """The column for rounding errors and the views that go with it, on every node there is."""
    own = "dimension/" if shares_ranges_per_dimension(client) else ""
    definitions = (*COLUMNS_5, *DEFINITIONS_5, f"{own}66_certified_chunks", *DRIFT_5)
    names = [f"migrations/5/{name}.sql" for name in definitions]
    constraints = [f"migrations/5/{name}.sql" for name in LOCAL_5]
    server = client.location.server
    if server is None or not server.cluster:
        for name in (*names, *constraints):
            client.create(name, {})
        return
    with closing(Cluster(client, server)) as cluster:
        for name in names:
            cluster.alter(name)
        for name in constraints:
            for local in cluster.local_clients():
                local.create(name, {})


def find_errors(client: Client) -> None:
    """The errors that follow from the codes of older chunks; those that do not stay infinite."""
    (row,) = client.query(Statement("collection"))
    quantizer = Quantizer.from_name(row["quantizer"])
    steps = math.sqrt(row["dimensions"])
    if quantizer.granularity == PER_DIMENSION:
        steps = client.query(Statement("migration_5_widest"))[0]["steps"]
    statement = Statement(
        "migration_5_errors",
        {
            "own_ranges": int(has_own_ranges(quantizer)),
            "lowest": quantizer.lowest_code,
            "width": HALF_STEP * steps * (1 + FLOAT32_SLACK),
        },
    )
    server = client.location.server
    if server is None or not server.cluster:
        client.change(statement, "the rounding errors of vectors could not be written to")
        return
    with closing(Cluster(client, server)) as cluster:
        cluster.change(statement)


def name_version_5(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 5})


# Version 5 to 6


def add_prompts(client: Client) -> None:
    """The column for prompts, on every node there is."""
    name = "migrations/6/10_collection.sql"
    server = client.location.server
    if server is None or not server.cluster:
        client.create(name, {})
        return
    with closing(Cluster(client, server)) as cluster:
        cluster.alter(name)


def name_version_6(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 6})


# Version 6 to 7


def add_queries(client: Client) -> None:
    """The table of queries and the column that goes with it, on every node there is."""
    tables, columns = ([f"migrations/7/{name}.sql" for name in names] for names in (TABLES_7, COLUMNS_7))
    server = client.location.server
    if server is None or not server.cluster:
        for name in (*tables, *columns):
            client.create(name, {})
        return
    with closing(Cluster(client, server)) as cluster:
        cluster.create(tuple(tables), {})
        for name in columns:
            cluster.alter(name)


def name_version_7(client: Client) -> None:
    """The revision that opens the store for readers again."""
    add_revision(client, {"schema_version": 7})


MIGRATIONS: dict[int, tuple[Callable[[Client], None], ...]] = {
    2: (
        add_tables,
        copy_chunks,
        copy_manifest,
        verify_copies,
        exchange_tables,
        replace_definitions,
        drop_old_tables,
        name_version_2,
    ),
    3: (add_outlines, name_version_3),
    4: (add_places, name_version_4),
    5: (add_errors, find_errors, name_version_5),
    6: (add_prompts, name_version_6),
    7: (add_queries, name_version_7),
}


# What the steps need


def add_revision(client: Client, changes: dict[str, Any]) -> None:
    """A row of `collection` like the newest one but for `changes`."""
    (row,) = client.query(Statement("collection"))
    row |= {"revision": row["revision"] + 1} | changes
    client.insert("collection", {name: [value] for name, value in row.items()})


def vector_sizes(client: Client) -> dict[str, int]:
    """The parameters of the definitions that depend on the dimension."""
    dimensions = int(client.query(Statement("stored_dimensions"))[0]["dimensions"])
    return {"dimensions": dimensions, "sign_bytes": sign_bytes(dimensions)}


def newest_epoch(client: Client) -> int:
    """The highest published epoch."""
    return int(client.query(Statement("epoch"))[0]["epoch"])


def live_documents(client: Client) -> list[Row]:
    """The documents that can be seen."""
    return client.query(Statement("live_documents", {"epoch": newest_epoch(client)}))


def chunk_count(document: Row | None) -> int:
    """How many chunks the manifest promises of a document; none where it has gone."""
    return int(document["chunk_count"]) if document else 0


def check_rows(rows: Sequence[Row], documents: Iterable[Row]) -> None:
    """Raises StoreError where rows of version 1 are not what their manifest promises."""
    found: dict[int, tuple[int, int]] = {}
    for row in rows:
        count, total = found.get(row["generation"], (0, 0))
        intact = row_hash(row, b"") == row["row_hash"]
        found[row["generation"]] = (count + intact, (total + row["row_hash"]) & MASK_64)
    for document in documents:
        promised = (document["chunk_count"], document["row_hash_sum"])
        if found.get(document["generation"], (0, 0)) != promised:
            raise StoreError(
                f"the chunks of {document['path']} are not what was stored, so the store stays as it is: "
                "ingest the documents into a new store with another --db"
            )


def new_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows of version 1 as columns of version 2."""
    names = [name for name in rows[0] if name != "row_hash"]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    columns["cell"] = [0] * len(rows)
    columns["metadata"] = [NO_METADATA] * len(rows)
    columns["signs"] = [signs.tobytes() for signs in vector_signs(read_vectors(rows, None))]
    columns["row_hash"] = [row_hash(row, b"\0" + NO_METADATA.encode()) for row in rows]
    return columns


def row_hash(row: Row, ending: bytes) -> int:
    """BLAKE2b-64 of a chunk as all versions define it: place, vector, text, and an ending of what came with later ones."""
    place = struct.pack("<QQQQQ", *(row[name] for name in ("chunk_index", "char_start", "char_end", "line", "page")))
    codes = np.array(row["codes"], dtype=np.int8).tobytes()
    vector = struct.pack("<fb", row["scale"], row["zero_point"]) + codes
    digest = blake2b(place + vector + row["text"].encode() + ending, digest_size=8).digest()
    return int.from_bytes(digest, "little")
