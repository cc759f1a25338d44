"""A store in, a folder of Parquet files out, and back: the documents of one moment, for any store of the same model.

The files hold the rows as they are, codes with their scale and zero-point, so nothing is embedded and every score stays
what it was. `export.json` says what the vectors were made with and has the SHA-256 of every file; it is written last. An
import reads nothing into the store before all files have been checked, and publishes all documents in one epoch.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sql.base.errors import StoreError
from sql.engine.folders import unfinished_folder
from sql.engine.statements import Statement
from sql.records import EncoderIdentity, SourceDocument
from sql.records.calibration import Calibration
from sql.records.metadata import read_metadata
from sql.store import SCHEMA_VERSION, Draft, Store, hashed_ending
from sql.store.migrate import row_hash
from sql.upkeep.tend import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sql.engine.client import Row

FORMAT, FORMAT_VERSION = "int8-rag export", 1
SUMMARY = "export.json"
READABLE_SCHEMAS = (2, SCHEMA_VERSION)  # chunks of version 2 have no outline, and are otherwise alike
ROWS_PER_INSERT = 20_000
POSTINGS_PER_INSERT = 200_000
PARTS = ("chunks", "texts", "lengths", "postings", "float_references")  # in several files each


@dataclass(frozen=True, slots=True)
class Export:
    """What a folder of files holds: the epoch, what its vectors were made with, and each file's rows and SHA-256."""

    epoch: int
    encoder: EncoderIdentity
    quantizer: str
    analyser: str
    documents: int
    chunks: int
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Import:
    """What an import did."""

    documents: int
    chunks: int
    unchanged: int


# Out


def export_store(store: Store, folder: Path) -> Export:
    """Writes the documents that are visible now into a new folder, which appears when it is complete.

    Raises StoreError where there is something of that name, its disk is full, or documents are damaged or were replaced
    meanwhile.
    """
    collection, epoch = store.collection(), store.epoch()
    if collection is None:
        raise StoreError(f"the store {store.client.location} is empty: there is nothing to export")
    with unfinished_folder(folder) as unfinished:
        files = {
            name: write_parquet(store, unfinished / name, statement)
            for name, statement in (
                ("manifest.parquet", Statement("export_manifest", {"epoch": epoch})),
                ("calibrations.parquet", Statement("export_calibrations", {"epoch": epoch})),
            )
        }
        documents = read_parquet(unfinished / "manifest.parquet")
        for number, generations in enumerate(batches(documents), start=1):
            for part, statement in part_statements(generations).items():
                name = f"{part}-{number:05}.parquet"
                files[name] = write_parquet(store, unfinished / name, statement)
            check_chunks(unfinished / f"chunks-{number:05}.parquet", documents, generations)
        chunks = sum(row["chunk_count"] for row in documents)
        found = Export(
            epoch, collection.encoder, collection.quantizer, collection.analyser, len(documents), chunks, files
        )
        write_summary(unfinished / SUMMARY, found)
    return found


def part_statements(generations: list[int]) -> dict[str, Statement]:
    """What is written of some generations, each into a file of its own."""
    some = {"generations": generations}
    return {
        "chunks": Statement("export_chunks", some),
        "texts": Statement("export_texts", some),
        "lengths": Statement("export_lengths", some),
        "postings": Statement("export_postings", some),
        "float_references": Statement("export_float_references", some),
    }


def write_parquet(store: Store, path: Path, statement: Statement) -> dict[str, Any]:
    """What a statement returns as a file, which is on disk then; its rows and SHA-256."""
    from pyarrow import parquet

    data = store.client.text(statement.text, "Parquet", statement.values)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return {"rows": parquet.read_metadata(path).num_rows, "sha256": sha256(data).hexdigest()}


def write_summary(path: Path, found: Export) -> None:
    """The summary, which makes the folder an export."""
    record = {"format": FORMAT, "version": FORMAT_VERSION, "schema_version": SCHEMA_VERSION} | asdict(found)
    with path.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


def check_chunks(path: Path, documents: Sequence[Row], generations: Sequence[int]) -> None:
    """Raises StoreError where the chunks of a file are not what the manifest rows of their documents promise."""
    rows = read_parquet(path)
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if row_hash(row, hashed_ending(row["metadata"], row.get("outline", ""))) != row["row_hash"]:
            raise StoreError(f"a chunk of {row['source']} is not what was stored: ingest its file again first")
        found[row["generation"]][0] += 1
        found[row["generation"]][1] += row["row_hash"]
    wanted = set(generations)
    for document in documents:
        if document["generation"] in wanted:
            count, total = found[document["generation"]]
            if (count, total % 2**64) != (document["chunk_count"], document["row_hash_sum"]):
                raise StoreError(
                    f"{document['source']}: {count} of {document['chunk_count']} chunks exist: it was replaced "
                    "meanwhile or is damaged, run the command again"
                )


def read_parquet(path: Path) -> list[Row]:
    """The rows of a file; StoreError where it is none."""
    import pyarrow
    from pyarrow import parquet

    try:
        rows: list[Row] = parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise StoreError(f"{path} cannot be read: export the store again") from error
    return rows


# In


def read_export(folder: Path) -> Export:
    """What a folder holds, every file of it checked; StoreError where one is missing, foreign or not what was written."""
    path = folder / SUMMARY
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        known = record["schema_version"] in READABLE_SCHEMAS
        if (record["format"], record["version"]) != (FORMAT, FORMAT_VERSION) or not known:
            raise StoreError(f"{path} is of another version of the program: export the store again with this one")
        named = {name: record[name] for name in ("epoch", "quantizer", "analyser", "documents", "chunks", "files")}
        found = Export(encoder=EncoderIdentity(**record["encoder"]), **named)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} is not an export of a store: it has no {SUMMARY} that can be read") from error
    for name, written in found.files.items():
        if Path(name).name != name or file_sha256(folder / name) != written["sha256"]:
            raise StoreError(f"{folder / name} is missing or not what was exported: export the store again")
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, empty where there is none."""
    digest = sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    except OSError:
        return ""
    return digest.hexdigest()


def import_store(store: Store, folder: Path, found: Export) -> Import:
    """Publishes the documents of an export in a store, all in one epoch; documents that are there alike stay.

    Other documents of the store stay too. Raises StoreMismatch where the store was made with something else, StoreError
    where what has arrived is not what was sent; then nothing is published.
    """
    store.prepare(found.encoder, found.quantizer, found.analyser)
    documents = read_parquet(folder / "manifest.parquet")
    known = {(one.path, one.content_sha256, one.chunker, one.row_hash_sum) for one in store.documents()}
    wanted = [
        row
        for row in documents
        if (row["path"], row["content_sha256"], row["chunker"], row["row_hash_sum"]) not in known
    ]
    calibrations = read_parquet(folder / "calibrations.parquet")
    version = store.add_calibration(Calibration.from_row(calibrations[0])).version if calibrations and wanted else 0
    drafts = {row["generation"]: make_draft(store, row, version) for row in wanted}
    texts = {row["generation"]: row["text"] for row in part_rows(folder, found, "texts")}
    metadata: dict[int, str] = {}
    for rows in part_files(folder, found, "chunks", drafts):
        metadata |= {row["generation"]: row["metadata"] for row in rows}
        insert_rows(store, "chunks", rows, ROWS_PER_INSERT, lambda row: chunk_row(row, drafts))
    for rows in part_files(folder, found, "lengths", drafts):
        count_words(rows, drafts)
        insert_rows(store, "lengths", rows, ROWS_PER_INSERT, lambda row: renamed(row, drafts))
    for rows in part_files(folder, found, "postings", drafts):
        insert_rows(store, "postings", rows, POSTINGS_PER_INSERT, lambda row: renamed(row, drafts))
    for rows in part_files(folder, found, "float_references", drafts):
        insert_rows(store, "float_references", rows, ROWS_PER_INSERT, lambda row: renamed(row, drafts))
    for row in wanted:
        draft = drafts[row["generation"]]
        draft.document = source_document(row, texts.get(row["generation"]), metadata.get(row["generation"], "{}"))
    store.publish(list(drafts.values()))
    return Import(len(drafts), sum(draft.chunk_count for draft in drafts.values()), len(documents) - len(wanted))


def make_draft(store: Store, row: Row, calibration: int) -> Draft:
    """A fresh generation for a document of the export, with what must have arrived of it before it is published."""
    draft = store.begin(source_document(row, None, "{}"))
    draft.chunk_count, draft.row_hash_sum = row["chunk_count"], row["row_hash_sum"]
    draft.calibration = calibration if row["calibration"] else 0
    return draft


def source_document(row: Row, text: str | None, metadata: str) -> SourceDocument:
    """The document of a manifest row."""
    names = ("path", "source", "title", "format", "encoding", "content_sha256", "content_bytes", "chunker")
    return SourceDocument(**{name: row[name] for name in names}, extracted_text=text, metadata=read_metadata(metadata))


def part_files(folder: Path, found: Export, part: str, drafts: dict[int, Draft]) -> Iterator[list[Row]]:
    """The rows of each file of a part, of documents that are wanted."""
    for name in sorted(found.files):
        if name.startswith(f"{part}-") and found.files[name]["rows"]:
            yield [row for row in read_parquet(folder / name) if row["generation"] in drafts]


def part_rows(folder: Path, found: Export, part: str) -> Iterator[Row]:
    """The rows of all files of a part."""
    for name in sorted(found.files):
        if name.startswith(f"{part}-"):
            yield from read_parquet(folder / name)


def insert_rows(store: Store, table: str, rows: list[Row], most: int, change: Callable[[Row], Row]) -> None:
    """Rows into a table, so many at once, each after a change."""
    for first in range(0, len(rows), most):
        some = [change(row) for row in rows[first : first + most]]
        store.client.insert(table, {name: [row[name] for row in some] for name in some[0]})


def renamed(row: Row, drafts: dict[int, Draft]) -> Row:
    """A row under the fresh generation of its document."""
    return row | {"generation": drafts[row["generation"]].generation}


def chunk_row(row: Row, drafts: dict[int, Draft]) -> Row:
    """A row of chunks in no cell as yet; StoreError where it is not what its hash says."""
    if row_hash(row, hashed_ending(row["metadata"], row.get("outline", ""))) != row["row_hash"]:
        raise StoreError(f"a chunk of {row['source']} is not what was exported: export the store again")
    changed = {"cell": 0, "document_id": UUID(row["document_id"]), "signs": bytes.fromhex(row["signs"])}
    return renamed(row, drafts) | changed


def count_words(rows: Sequence[Row], drafts: dict[int, Draft]) -> None:
    """Notes in the drafts how many words must have arrived."""
    for row in rows:
        draft = drafts[row["generation"]]
        draft.words_count += 1
        draft.posting_count += row["postings"]
        draft.words_checksum = (draft.words_checksum + row["checksum"]) % 2**64
