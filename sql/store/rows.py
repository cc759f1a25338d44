"""Chunks with their vectors and words in, the columns of inserts out; and the rows that publish and delete documents."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.base.settings import CODE_BITS
from sql.base.sums import MASK_64
from sql.records import code_pairs
from sql.search.cells import ROWS_AT_ONCE
from sql.search.signs import vector_signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.records import Chunk, ChunkWords, LiveDocument, QuantizedVectors, SourceDocument
    from sql.search.cells import Cells

PLACE = struct.Struct("<QQQQQ")  # of a chunk: index, start, end, line, page


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
    place_count: int = 0
    place_checksum: int = 0


@dataclass(frozen=True, slots=True)
class ChunkBatch:
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


def chunk_columns(
    batch: ChunkBatch, rows: range, cells: Cells | None = None, bits: int = CODE_BITS[0]
) -> dict[str, Any]:
    """Some rows of a batch as the columns of an insert into a store whose codes have so many bits; counts them in their
    drafts."""
    vectors, some = batch.vectors.rows(rows), batch.chunks[rows.start : rows.stop]
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
        "place_name": [chunk.place_name for _, chunk in some],
        "tokens": np.array([chunk.tokens for _, chunk in some], np.uint16),
        "text": [chunk.text for _, chunk in some],
        "metadata": [draft.metadata for draft, _ in some],
        "outline": [chunk.outline.as_json() for _, chunk in some],
        **({"codes": vectors.codes} if bits == CODE_BITS[0] else {"code_pairs": code_pairs(vectors.codes)}),
        "scale": vectors.scale,
        "zero_point": vectors.zero_point,
        "norm": norms,
        "error": vectors.errors(),
        "signs": signs.view(f"V{signs.shape[1]}").reshape(-1),
        "row_hash": np.array(hashes, np.uint64),
    }


def chunk_hashes(chunks: Sequence[tuple[Draft, Chunk]], vectors: QuantizedVectors) -> list[int]:
    """BLAKE2b-64 of each row: place and its name, vector, text, metadata, outline; not where it lies in the table."""
    packed = np.empty(len(chunks), dtype=[("scale", "<f4"), ("zero_point", "i1"), ("codes", "i1", vectors.dimensions)])
    packed["scale"], packed["zero_point"], packed["codes"] = vectors.scale, vectors.zero_point, vectors.codes
    size, data = packed.itemsize, packed.tobytes()
    hashes = []
    for row, (draft, chunk) in enumerate(chunks):
        digest = blake2b(PLACE.pack(chunk.index, chunk.start, chunk.end, chunk.line, chunk.page), digest_size=8)
        digest.update(data[row * size : (row + 1) * size])
        ending = hashed_ending(draft.metadata, chunk.outline.as_json(), chunk.place_name)
        digest.update(chunk.text.encode() + ending)
        hashes.append(int.from_bytes(digest.digest(), "little"))
    return hashes


def hashed_ending(metadata: str, outline: str, place_name: str = "") -> bytes:
    """What the hash of a row ends with; without an outline and a place it is that of version 2, which had neither."""
    ending = b"\0" + metadata.encode()
    if outline or place_name:
        ending += b"\0" + outline.encode()
    return ending + (b"\0" + place_name.encode() if place_name else b"")


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
        "place_count": draft.place_count,
        "place_checksum": draft.place_checksum,
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
        "place_count": 0,
        "place_checksum": 0,
        "calibration": 0,
    }


def some_of(column: list[Any] | NDArray[Any], rows: list[int]) -> list[Any] | NDArray[Any]:
    """Some rows of a column of an insert."""
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def generation_batches(
    documents: Iterable[Row], most: int = ROWS_AT_ONCE, most_chunks: int = ROWS_AT_ONCE
) -> Iterator[list[int]]:
    """Generations to work on together: of at least one document and at most so many, and of more than one only where they
    have no more chunks than that, which is what one block of an insert takes."""
    batch: list[int] = []
    rows = 0
    for document in documents:
        if batch and (len(batch) >= most or rows + document["chunk_count"] > most_chunks):
            yield batch
            batch, rows = [], 0
        batch.append(document["generation"])
        rows += document["chunk_count"]
    if batch:
        yield batch
