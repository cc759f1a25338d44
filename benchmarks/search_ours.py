"""Our searches as systems of benchmarks/search_measure.py, and a store filled with its vectors for other measurements."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import BLOCK, Growth, read_rows
from search_measure import Built, K, Stopwatch, Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANDIDATES = (100, 150, 200, 300, 500, 1000, 2000, 3000)
PROBES = (8, 16, 32, 48, 64, 80, 96, 128, 256)
PER_DOCUMENT = 20  # chunks of one document in our store


def ours(folder: Path, scratch: Path, rows: int, bits: int = 8) -> Iterator[Built]:
    """Exact and two-stage over the store as it was inserted."""
    name = own_name(bits)
    with open_store(scratch, bits) as store:
        watch = Stopwatch()
        insert_rows(store, folder, 0, rows)
        took = watch.read()
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        ways = [
            our_way(store, f"{name} exact", {"strategy": "exact"}),
            our_way(store, f"{name} two-stage", {"strategy": "two-stage"}, CANDIDATES, "candidates"),
        ]
        yield Built(ways, *took, bytes_on_disk(store))


def ours_cells(folder: Path, scratch: Path, rows: int, bits: int = 8) -> Iterator[Built]:
    """Cells, with what making them took."""
    from sql.upkeep.cells import maintain_cells

    with open_store(scratch, bits) as store:
        watch = Stopwatch()
        insert_rows(store, folder, 0, rows)
        maintain_cells(store, print)
        took = watch.read()
        store.garbage.collect_unseen(grace_seconds=0)
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        yield Built(
            [our_way(store, f"{own_name(bits)} cells", {"strategy": "cells"}, PROBES, "probes")],
            *took,
            bytes_on_disk(store),
        )


def own_name(bits: int) -> str:
    """What tables call a store with codes of so many bits."""
    return "ours" if bits == 8 else f"ours, {bits} bits,"


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


def open_store(scratch: Path, bits: int = 8) -> Any:
    """An open store for vectors of 384, made if need be."""
    from rag.text.analyser import ANALYSER
    from sql.base.settings import USUAL_RANGES
    from sql.records import EncoderIdentity
    from sql.records.calibration import Quantizer
    from sql.store import Store

    store = Store.open(str(scratch / "store"), write=True)
    identity = EncoderIdentity("benchmark", "", "", "", "int8", "mean", 384, 256)
    store.prepare(identity, Quantizer("asymmetric", ranges=USUAL_RANGES[bits], bits=bits).name, ANALYSER)
    return store


def insert_rows(store: Any, folder: Path, first: int, last: int, words: bool = False) -> None:
    """Quantizes, inserts and publishes rows first..last.

    A chunk's text is the number of its row; or, with words, one that belongs to its vector, and its words come along.
    """
    from rag.index.vector_coder import VectorCoder
    from rag.text.analyser import chunk_words
    from sql.records import Chunk
    from sql.store import ChunkBatch

    growth, coder = Growth(folder), VectorCoder.for_store(store, store.collection().encoder)
    stored = read_rows(folder, last)
    windows = json.loads((folder / "texts.json").read_text())["windows"] if words else []
    for start in range(first, last, BLOCK):
        vectors = stored[start : start + BLOCK]
        if len(vectors) < BLOCK:
            vectors = growth.block(start // BLOCK)
        texts = growth.texts(start // BLOCK, windows) if words else [str(row) for row in range(start, start + BLOCK)]
        vectors, texts = vectors[: last - start], texts[: last - start]
        drafts, chunks = [], []
        for row, text in enumerate(texts, start):
            if row % PER_DOCUMENT == 0:
                drafts.append(store.writer.begin(document(row)))
            chunks.append((drafts[-1], Chunk(row % PER_DOCUMENT, text, 0, len(text), 1, 0, "", 1)))
        found = [chunk_words(text, "en") for text in texts] if words else ()
        store.writer.insert(ChunkBatch(chunks, coder.encode(np.ascontiguousarray(vectors)), found))
        store.writer.publish(drafts)


def document(row: int) -> Any:
    """A document of the store."""
    from sql.records import SourceDocument

    return SourceDocument(f"/{row}", f"{row}", "", "text", "utf-8", "", 0, "none")


SYSTEMS: dict[str, Any] = {
    "ours": ours,
    "ours-cells": ours_cells,
    "ours-4-bits": partial(ours, bits=4),
    "ours-4-bits-cells": partial(ours_cells, bits=4),
}
