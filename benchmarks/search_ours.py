"""Our searches as systems of benchmarks/search_measure.py, and a store filled with its vectors for other measurements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import BLOCK, Growth, read_rows
from search_measure import Built, K, Stopwatch, Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANDIDATES = (100, 150, 200, 300, 500, 1000, 2000, 3000)
PROBES = (8, 16, 32, 64, 128, 256)
PER_DOCUMENT = 20  # chunks of one document in our store


def ours(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Exact and two-stage over the store as it was inserted."""
    with open_store(scratch) as store:
        watch = Stopwatch()
        insert_rows(store, folder, 0, rows)
        took = watch.read()
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        ways = [
            our_way(store, "ours exact", {"strategy": "exact"}),
            our_way(store, "ours two-stage", {"strategy": "two-stage"}, CANDIDATES, "candidates"),
        ]
        yield Built(ways, *took, bytes_on_disk(store))


def ours_cells(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Cells, with what making them took."""
    from sql.upkeep.cells import maintain_cells

    with open_store(scratch) as store:
        watch = Stopwatch()
        insert_rows(store, folder, 0, rows)
        maintain_cells(store, print)
        took = watch.read()
        store.garbage.collect_unseen(grace_seconds=0)
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        yield Built(
            [our_way(store, "ours cells", {"strategy": "cells"}, PROBES, "probes")], *took, bytes_on_disk(store)
        )


def our_way(store: Any, name: str, how: dict[str, Any], settings: tuple[Any, ...] = (None,), label: str = "") -> Way:
    """One of our ways to search."""
    from rag.int8.quantization import quantize_query

    def found(query: np.ndarray, setting: Any) -> list[int]:
        chosen = how if setting is None else how | {label: setting}
        return [int(hit.text) for hit in search(store, quantize_query(query), K, **chosen)]

    return Way(name, found, settings, label)


def bytes_on_disk(store: Any) -> int:
    """Bytes of the table of chunks."""
    sql = (
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = currentDatabase() AND table = 'chunks' AND active"
    )
    return int(store.client.text(sql, "TSV"))


def search(store: Any, query: Any, k: int, epoch: int | None = None, **how: Any) -> Any:
    """The hits of one search."""
    from sql.search.request import SearchRequest

    return store.snapshot(epoch).search(query, SearchRequest(k=k, **how))


def open_store(scratch: Path) -> Any:
    """An open store for vectors of 384, made if need be."""
    from rag.text.analyser import ANALYSER
    from sql.records import EncoderIdentity
    from sql.store import Store

    store = Store.open(str(scratch / "store"), write=True)
    identity = EncoderIdentity("benchmark", "", "", "", "int8", "mean", 384, 256)
    store.prepare(identity, "asymmetric int8 per vector", ANALYSER)
    return store


def insert_rows(store: Any, folder: Path, first: int, last: int, words: bool = False) -> None:
    """Quantizes, inserts and publishes rows first..last.

    A chunk's text is the number of its row; or, with words, one that belongs to its vector, and its words come along.
    """
    from rag.int8.quantization import quantize_vectors
    from rag.text.analyser import chunk_words
    from sql.records import Chunk
    from sql.store import ChunkBatch

    growth = Growth(folder)
    stored = read_rows(folder, last)
    windows = json.loads((folder / "texts.json").read_text())["windows"] if words else []
    for start in range(first, last, BLOCK):
        vectors = stored[start : start + BLOCK]
        if len(vectors) < BLOCK:
            vectors = growth.block(start // BLOCK)
        texts = growth.texts(start // BLOCK, windows) if words else [str(row) for row in range(start, start + BLOCK)]
        drafts, chunks = [], []
        for row, text in enumerate(texts, start):
            if row % PER_DOCUMENT == 0:
                drafts.append(store.writer.begin(document(row)))
            chunks.append((drafts[-1], Chunk(row % PER_DOCUMENT, text, 0, len(text), 1, 0, "", 1)))
        found = [chunk_words(text, "en") for text in texts] if words else ()
        store.writer.insert(ChunkBatch(chunks, quantize_vectors(np.ascontiguousarray(vectors)), found))
        store.writer.publish(drafts)


def document(row: int) -> Any:
    """A document of the store."""
    from sql.records import SourceDocument

    return SourceDocument(f"/{row}", f"{row}", "", "text", "utf-8", "", 0, "none")


SYSTEMS: dict[str, Any] = {"ours": ours, "ours-cells": ours_cells}
