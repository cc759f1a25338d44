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
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sql.base.errors import StoreError
from sql.engine.folders import unfinished_folder
from sql.engine.packed import read_vectors
from sql.engine.statements import Statement
from sql.records import ChunkWords, EncoderIdentity, QuantizedVectors
from sql.records.calibration import Calibration, Quantizer
from sql.search.words import words_checksum
from sql.store import SCHEMA_VERSION, ChunkBatch, Draft, Store, generation_batches, hashed_ending
from sql.store.known_errors import with_known_errors
from sql.store.migrate import row_hash
from sql.store.places import places_promise
from sql.store.stored import stored_chunk, stored_document, stored_places
from sql.store.word_vectors import WordRows, WordVectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sql.engine.client import Row
    from sql.records.places import Place

FORMAT, FORMAT_VERSION = "int8-rag export", 1
SUMMARY = "export.json"
WORDS, WHITENING = "word_vectors.parquet", "word_whitening.parquet"  # of a store that has word vectors
# Chunks of version 2 have no outline, those of version 3 no places, those of version 4 no errors, and an encoder of version 5
# has no prompts; otherwise they are alike. Queries are not exported.
READABLE_SCHEMAS = (2, 3, 4, 5, 6, SCHEMA_VERSION)
PARTS = ("chunks", "texts", "lengths", "postings", "float_references", "places")  # in several files each


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
    snapshot = store.snapshot()
    collection, epoch = snapshot.collection, snapshot.epoch
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
        for number, generations in enumerate(generation_batches(documents), start=1):
            for part, statement in part_statements(generations).items():
                name = f"{part}-{number:05}.parquet"
                files[name] = write_parquet(store, unfinished / name, statement)
            check_chunks(unfinished / f"chunks-{number:05}.parquet", documents, generations)
            check_places(unfinished / f"places-{number:05}.parquet", documents, generations)
        if WordVectors(store).exist:
            files[WORDS] = write_parquet(store, unfinished / WORDS, Statement("export_word_vectors"))
            files[WHITENING] = write_parquet(store, unfinished / WHITENING, Statement("word_whitening"))
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
        "places": Statement("whole_places", some),
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
        if not is_intact(row):
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


def check_places(path: Path, documents: Sequence[Row], generations: Sequence[int]) -> None:
    """Raises StoreError where the places of a file are not what the manifest rows of their documents promise."""
    places, wanted = stored_places(read_parquet(path)), set(generations)
    for document in documents:
        if document["generation"] in wanted and not are_promised(places.get(document["generation"], ()), document):
            raise StoreError(
                f"{document['source']}: its places are not what was stored: it was replaced meanwhile or is damaged, run "
                "the command again"
            )


def are_promised(places: Sequence[Place], document: Row) -> bool:
    """Whether places are those of a manifest row; one of an older version promises none."""
    return places_promise(places) == (document.get("place_count", 0), document.get("place_checksum", 0))


def is_intact(row: Row) -> bool:
    """Whether a chunk is what its hash says."""
    ending = hashed_ending(row["metadata"], row.get("outline", ""), row.get("place_name", ""))
    return row_hash(row, ending) == int(row["row_hash"])


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
        if Path(name).name != name or sha256_if_there(folder / name) != written["sha256"]:
            raise StoreError(f"{folder / name} is missing or not what was exported: export the store again")
    return found


def sha256_if_there(path: Path) -> str:
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
    where what the files hold makes other rows than were exported, or what has arrived is not what was sent; then nothing
    is published.
    """
    store.prepare(found.encoder, found.quantizer, found.analyser)
    documents = read_parquet(folder / "manifest.parquet")
    known = {(one.path, one.content_sha256, one.chunker, one.row_hash_sum) for one in store.snapshot().documents()}
    wanted = {
        row["generation"]: row
        for row in documents
        if (row["path"], row["content_sha256"], row["chunker"], row["row_hash_sum"]) not in known
    }
    quantizer = Quantizer.from_name(found.quantizer)
    calibrations = read_parquet(folder / "calibrations.parquet")
    calibration = (
        store.writer.add_calibration(Calibration.from_row(calibrations[0], quantizer.bits))
        if calibrations and wanted
        else None
    )
    drafts: dict[int, Draft] = {}
    for number in part_numbers(found):
        drafts |= import_part(store, ExportPart.read(folder, found, number, wanted), quantizer, calibration)
    for generation in wanted.keys() - drafts.keys():  # documents without chunks and without an extracted text
        drafts[generation] = store.writer.begin(stored_document(wanted[generation], None, "{}"))
    store.writer.publish([drafts[generation] for generation in wanted])
    if WORDS in found.files:
        import_word_vectors(store, folder)
    return Import(len(drafts), sum(draft.chunk_count for draft in drafts.values()), len(documents) - len(wanted))


def import_word_vectors(store: Store, folder: Path) -> None:
    """Adds the vectors of words that a store lacks; a store without any gets them all."""
    table, whitening, words = WordVectors(store), read_parquet(folder / WHITENING), read_parquet(folder / WORDS)
    dimensions = store.snapshot().dimensions
    table.create(dimensions)
    unknown = set(table.unknown_words([row["word"] for row in words]))
    for of_documents in (0, 1):
        rows = [row for row in words if row["word"] in unknown and row["of_documents"] == of_documents]
        if rows:
            table.insert(stored_word_rows(rows), of_documents=bool(of_documents))
    if whitening and table.whitening(dimensions) is None:
        table.set_whitening(np.array([row["vector"] for row in whitening], dtype=np.float32))


def stored_word_rows(rows: Sequence[Row]) -> WordRows:
    """Rows of an export as a store takes them."""
    vectors = QuantizedVectors(
        np.array([row["codes"] for row in rows], dtype=np.int8),
        np.array([row["scale"] for row in rows], dtype=np.float32),
        np.array([row["zero_point"] for row in rows], dtype=np.int8),
    )
    pieces = np.array([row["pieces"] for row in rows], dtype=np.int64)
    return WordRows([row["word"] for row in rows], [row["forms"] for row in rows], pieces, vectors)


@dataclass(frozen=True, slots=True)
class ExportPart:
    """The files of one number: the wanted documents among theirs, with all that is stored of them."""

    documents: dict[int, Row]  # manifest rows by generation
    chunks: list[Row]
    texts: dict[int, str]
    lengths: list[Row]
    postings: list[Row]
    references: list[Row]
    places: dict[int, list[Place]]

    @classmethod
    def read(cls, folder: Path, found: Export, number: str, wanted: Mapping[int, Row]) -> Self:
        """Reads the files of a number, those that hold rows."""
        rows = {part: wanted_rows(folder, found, f"{part}-{number}.parquet", wanted) for part in PARTS}
        here = {row["generation"] for part in ("chunks", "texts", "places") for row in rows[part]}
        return cls(
            {generation: wanted[generation] for generation in wanted if generation in here},
            rows["chunks"],
            {row["generation"]: row["text"] for row in rows["texts"]},
            rows["lengths"],
            rows["postings"],
            rows["float_references"],
            stored_places(rows["places"]),
        )


def part_numbers(found: Export) -> list[str]:
    """The numbers of the files of an export, in order."""
    names = (name.removesuffix(".parquet").rpartition("-") for name in found.files)
    return sorted({number for part, _, number in names if part in PARTS})


def wanted_rows(folder: Path, found: Export, name: str, wanted: Mapping[int, Row]) -> list[Row]:
    """The rows of a file that are of documents which are wanted."""
    if name not in found.files or not found.files[name]["rows"]:
        return []
    return [row for row in read_parquet(folder / name) if row["generation"] in wanted]


def import_part(
    store: Store, part: ExportPart, quantizer: Quantizer, calibration: Calibration | None
) -> dict[int, Draft]:
    """Inserts the documents of a part under fresh generations, and returns their drafts; nobody sees them yet."""
    metadata = {row["generation"]: row["metadata"] for row in part.chunks}
    drafts = {}
    for row in part.chunks:
        if not is_intact(row):
            raise StoreError(f"a chunk of {row['source']} is not what was exported: export the store again")
    for generation, row in part.documents.items():
        text = metadata.get(generation, "{}")
        places = part.places.get(generation, ())
        drafts[generation] = store.writer.begin(stored_document(row, part.texts.get(generation), text, places))
        drafts[generation].metadata = text
    if part.chunks:
        vectors = with_known_errors(read_vectors(part.chunks, calibration), quantizer)
        chunks = [(drafts[row["generation"]], stored_chunk(row, row["tokens"])) for row in part.chunks]
        store.writer.insert(ChunkBatch(chunks, vectors, stored_words(part), stored_references(part)))
    for generation, draft in drafts.items():
        row = part.documents[generation]
        if (draft.chunk_count, draft.row_hash_sum) != (row["chunk_count"], row["row_hash_sum"]):
            raise StoreError(f"a chunk of {row['source']} is not what was exported: export the store again")
        if not are_promised(draft.document.places, row):
            raise StoreError(f"the places of {row['source']} are not what was exported: export the store again")
    return drafts


def stored_words(part: ExportPart) -> list[ChunkWords]:
    """The words of the chunks of a part, in their order; none where a chunk has no row of words.

    Raises StoreError where the postings are not what the lengths promise.
    """
    if not part.lengths:
        return []
    terms: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for row in part.postings:
        terms[row["generation"], row["chunk_index"]][row["term"]] = row["frequency"]
    lengths = {(row["generation"], row["chunk_index"]): row for row in part.lengths}
    words = []
    for chunk in part.chunks:
        place = chunk["generation"], chunk["chunk_index"]
        if (kept := lengths.get(place)) is None:
            raise StoreError(f"{chunk['source']} has a chunk without words: export the store again")
        found = ChunkWords(str(kept["language"]), terms[place], kept["terms"])
        if words_checksum(found, place[1]) != kept["checksum"]:
            raise StoreError(f"the words of {chunk['source']} are not what was exported: export the store again")
        words.append(found)
    return words


def stored_references(part: ExportPart) -> dict[int, list[float]]:
    """The float vectors that were kept, by the row of their chunk."""
    kept = {(row["generation"], row["chunk_index"]): row["vector"] for row in part.references}
    places = ((row["generation"], row["chunk_index"]) for row in part.chunks)
    return {row: kept[place] for row, place in enumerate(places) if place in kept}
