"""Keeps the cells of a store fit for its size: trains them when it has grown, and moves documents into them.

Moving is what ingest does anyway: a document's chunks are written again under a fresh generation, now in their cells,
counted back, and published by manifest rows of one epoch; the old generation is garbage from then on. A process killed
at any point leaves every document as it was or as it is now, and the next one goes on. Readers need not know: chunks
outside the newest cells are searched always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sql.base.errors import StoreError
from sql.base.wording import counted
from sql.engine.packed import unpack_vectors
from sql.engine.statements import Statement
from sql.search.cells import (
    CELLS_FROM,
    ROWS_AT_ONCE,
    SAMPLE_PER_CELL,
    Cells,
    cell_count,
    cells_columns,
    mean_similarity,
    train_cells,
)
from sql.store import generation_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from sql.engine.client import Client, Row
    from sql.store import Store

LEAST_OUTSIDE = 0.05  # of the rows: a smaller part outside the cells is not worth moving
DRIFT_SAMPLE = 4_000
DOCUMENTS_AT_ONCE = (
    2_000  # that are moved: their manifest rows and the copies of what they have take 12 kB each meanwhile
)
# Words lie by term, so that to copy those of some documents is to read those of all: they are copied for more at once.
WORD_DOCUMENTS_AT_ONCE, WORD_CHUNKS_AT_ONCE = 4_000, 16_384
NO_POSTINGS = {"posting_count": 0, "checksum_sum": 0}
OUTSIDE_ROW = np.dtype([("generation", "<u8"), ("chunk_count", "<u8")])  # of the statement documents_outside_cells


def maintain_cells(
    store: Store, announce: Callable[[str], None] = lambda sentence: None, least: int = CELLS_FROM
) -> int:
    """Trains cells where a store of at least so many chunks has none that fit, and moves what lies outside of them.

    Returns how many documents were moved. Does nothing for a smaller store.
    """
    with store.writing:  # of two threads one would move what the other has just moved
        return _maintain_alone(store, announce, least)


def _maintain_alone(store: Store, announce: Callable[[str], None], least: int) -> int:
    rows = store.snapshot().chunk_count()
    if rows < least:
        return 0
    cells = store.writer.cells()
    if cells is None or has_drifted(store, cells, rows):
        store.client.give_memory_back()  # what reading the files has left
        announce(f"training cells for {counted(rows, 'chunk')}")
        cells = train_cells(
            store.snapshot().sample_vectors(SAMPLE_PER_CELL * cell_count(rows)).dequantize(), rows, cells
        )
        store.client.insert("cells", cells_columns(cells))
        store.writer.forget_cells()
    outside = documents_outside(store, cells)
    if int(outside["chunk_count"].sum()) < LEAST_OUTSIDE * rows:
        return 0
    announce(f"moving {counted(len(outside), 'document')} into {len(cells.centroids)} cells")
    chunk_counts = dict(zip(outside["generation"].tolist(), outside["chunk_count"].tolist(), strict=True))
    for some in divided(chunk_counts, WORD_DOCUMENTS_AT_ONCE, WORD_CHUNKS_AT_ONCE):
        move_documents(store, cells, some)
    return len(outside)


def has_drifted(store: Store, cells: Cells, rows: int) -> bool:
    """Whether the store has outgrown its cells or holds other vectors than they were trained on."""
    return cells.have_drifted(
        rows, mean_similarity(store.snapshot().sample_vectors(DRIFT_SAMPLE).dequantize(), cells.centroids)
    )


def documents_outside(store: Store, cells: Cells) -> NDArray[np.void]:
    """Generation and chunk count, OUTSIDE_ROW, of each published document with chunks outside the newest cells."""
    values = {"epoch": store.epoch(), "first_cell": cells.first_cell, "last_cell": cells.last_cell}
    return np.frombuffer(store.client.query_packed(Statement("documents_outside_cells", values)), OUTSIDE_ROW)


@dataclass(frozen=True, slots=True)
class Move:
    """Manifest rows of documents, and the generations they get."""

    rows: list[Row]
    new: list[int]

    @property
    def old(self) -> list[int]:
        """The generations they have."""
        return [row["generation"] for row in self.rows]


def move_documents(store: Store, cells: Cells, chunk_counts: Mapping[int, int]) -> None:
    """Copies documents into their cells under fresh generations and publishes these, some documents at a time.

    Given are their generations and how many chunks each has. The words of all come first. StoreError if a row is missing.
    """
    store.client.give_memory_back()
    fresh = {generation: store.writer.next_generation(generation) for generation in chunk_counts}
    words = {"old": list(fresh), "new": list(fresh.values())}
    store.client.execute(Statement("move_lengths", words))
    store.client.execute(Statement("move_postings", words))
    for some in divided(chunk_counts, DOCUMENTS_AT_ONCE, ROWS_AT_ONCE):
        store.client.give_memory_back()
        move_together(store, cells, {generation: fresh[generation] for generation in some})


def divided(chunk_counts: Mapping[int, int], most: int, most_chunks: int) -> Iterator[dict[int, int]]:
    """Parts of at most so many documents, given by their generations, and chunks; see `generation_batches`."""
    rows = ({"generation": generation, "chunk_count": count} for generation, count in chunk_counts.items())
    for generations in generation_batches(rows, most, most_chunks):
        yield {generation: chunk_counts[generation] for generation in generations}


def move_together(store: Store, cells: Cells, fresh: Mapping[int, int]) -> None:
    """Copies everything but the words of documents, whose generations have fresh ones, and publishes them all at once."""
    rows = store.client.query(Statement("manifest_rows", {"generations": list(fresh)}))
    move = Move(rows, [fresh[row["generation"]] for row in rows])
    copy_chunks(store, cells, move)
    numbers = {"old": move.old, "new": move.new}
    store.client.execute(Statement("move_texts", numbers))
    store.client.execute(Statement("move_places", numbers))
    store.client.execute(Statement("move_float_references", numbers))
    check_copies(store.client, move)
    check_copied_details(store.client, move)
    store.writer.publish_rows(lambda epoch: rows_still_current(store, move, epoch))
    store.writer.forget_drafts(move.new)


def rows_still_current(store: Store, move: Move, epoch: int) -> list[Row]:
    """The moved documents' manifest rows for an epoch, without those that another process has changed or deleted since.

    Asked while the right to publish is ours: publishing a copy of an older version would undo the newer one.
    """
    found = store.snapshot(epoch - 1).some_documents([row["document_id"] for row in move.rows])
    current = {document.generation for document in found}
    return [
        row | {"epoch": epoch, "generation": new}
        for row, new in zip(move.rows, move.new, strict=True)
        if row["generation"] in current
    ]


def copy_chunks(store: Store, cells: Cells, move: Move) -> None:
    """Inserts the chunks again, each into the cell of its vector; invisible as yet."""
    now = store.snapshot()
    packed = store.client.query_packed(Statement("generation_vectors", {"generations": move.old}))
    generations, indexes, vectors = unpack_vectors(packed, now.dimensions, now.calibration())
    old = np.array(move.old, np.uint64)
    order = np.argsort(old)  # as the vectors are ordered
    old = old[order]
    sizes = np.array([row["chunk_count"] for row in move.rows], np.int64)[order]
    offsets = np.cumsum(sizes) - sizes
    expected = np.arange(sizes.sum()) - np.repeat(offsets, sizes)
    if not (np.array_equal(generations, np.repeat(old, sizes)) and np.array_equal(indexes, expected)):
        raise StoreError(
            "chunks of a published document are missing: see the statement `Is the store sound?` of docs/table.md"
        )
    values = {
        "cells": cells.numbers(vectors.dequantize()).tolist(),
        "old": old.tolist(),
        "new": np.array(move.new, np.uint64)[order].tolist(),
        "offsets": offsets.tolist(),
    }
    store.client.execute(Statement("move_chunks", values))


def check_copies(client: Client, move: Move) -> None:
    """Counts the copies back: rows, highest index and the sum of the hashes have to be those of the manifest."""
    found = {row["generation"]: row for row in client.query(Statement("count_generations", {"generations": move.new}))}
    for row, generation in zip(move.rows, move.new, strict=True):
        arrived = found.get(generation, {"chunk_count": 0, "row_hash_sum": 0})
        if (arrived["chunk_count"], arrived["row_hash_sum"]) != (row["chunk_count"], row["row_hash_sum"]):
            raise StoreError(
                f"{row['source']}: {arrived['chunk_count']} of {counted(row['chunk_count'], 'chunk')} arrived in their cells; "
                "the document stays where it was, run the command again"
            )


def check_copied_details(client: Client, move: Move) -> None:
    """Counts back the copies of their words and places: rows and checksums have to be those of the old generations."""
    generations = [*move.old, *move.new]
    lengths = counts_of(client, Statement("count_lengths", {"generations": generations}))
    places = counts_of(client, Statement("count_places", {"generations": generations}))
    postings = copied_postings(client, move, lengths)
    for what, counts in (("words", lengths), ("words", postings), ("places", places)):
        for row, old, new in zip(move.rows, move.old, move.new, strict=True):
            if counts.get(old) != counts.get(new):
                raise StoreError(
                    f"{row['source']}: not all of its {what} arrived with its chunks; "
                    "the document stays where it was, run the command again"
                )


def copied_postings(client: Client, move: Move, lengths: Mapping[int, Row]) -> dict[int, Row]:
    """What there is of the postings of old and new generations, given what there is of their lengths.

    Lengths say what postings there have to be. Those of old generations lie among all others, so that to count them takes
    the time of reading the whole table: that is done only where the new ones are not what their lengths say.
    """
    found = counts_of(client, Statement("count_postings", {"generations": move.new}))
    others = []
    for old, new in zip(move.old, move.new, strict=True):
        if not found.get(new, NO_POSTINGS).items() <= lengths.get(old, NO_POSTINGS).items():
            others.append(old)
        elif new in found:
            found[old] = found[new]
    return found | (counts_of(client, Statement("count_postings", {"generations": others})) if others else {})


def counts_of(client: Client, statement: Statement) -> dict[int, Row]:
    """The rows of a statement that counts something, each by its generation."""
    return {row.pop("generation"): row for row in client.query(statement)}
