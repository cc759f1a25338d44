"""Where chunks lie is remembered, and never wrong: what is not known is read, and what is not there is not found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import QUANTIZER, chunks_of, hash_encoder, source_document

import sql.search.everything
from rag.int8.quantization import quantize_vectors
from rag.library import Library
from rag.text.analyser import ANALYSER, chunk_words
from sql.search.search import Runner
from sql.search.whereabouts import CELL_ROW, Whereabouts
from sql.store import ChunkBatch, Store
from sql.upkeep.cells import maintain_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer
    from sql.search.search import Step

WORDS = [f"w{number}" for number in range(30)]


def packed(*rows: tuple[int, int, int]) -> bytes:
    return np.array(list(rows), dtype=CELL_ROW).tobytes()


def test_a_chunk_is_where_it_was_read_whatever_the_order_of_the_rows() -> None:
    known = Whereabouts.nowhere().read_from(0, packed((9, 1, 4), (2**63, 0, 7), (9, 0, 3)))
    assert known.find([(9, 0), (2**63, 0), (9, 1)]) == ([3, 7, 4], None)


@pytest.mark.parametrize("place", [(8, 0), (9, 2), (10, 0), (2**63, 1), (2**64 - 1, 0)])
def test_the_lowest_generation_that_is_not_known_is_told(place: tuple[int, int]) -> None:
    known = Whereabouts.nowhere().read_from(0, packed((9, 0, 3), (9, 1, 4), (2**63, 0, 7)))
    assert known.find([(9, 0), place])[1] == place[0]
    assert Whereabouts.nowhere().find([(9, 0), place])[1] == min(9, place[0])
    assert known.find([]) == ([], None)


def test_what_is_read_again_takes_the_place_of_what_was_known_from_there_on() -> None:
    known = Whereabouts.nowhere().read_from(0, packed((5, 0, 1), (9, 0, 3), (12, 0, 6)))
    known = known.read_from(9, packed((9, 1, 4), (9, 0, 3), (11, 0, 8)))
    assert known.find([(5, 0), (9, 0), (9, 1), (11, 0)]) == ([1, 3, 4, 8], None)
    assert known.find([(12, 0)])[1] == 12
    assert known.read_from(6, packed()).find([(5, 0), (9, 0)])[1] == 9


@pytest.fixture
def library(tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A store with cells that is searched as a large one."""
    monkeypatch.setattr(sql.search.everything, "EVERYTHING_UP_TO", 0)
    encoder, _ = hash_encoder(tokenizer)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(encoder.identity, QUANTIZER, ANALYSER)
        library = Library(store, lambda: encoder)
        for number in range(12):
            publish(library, f"doc {number}", number)
        maintain_cells(store, least=10)
        store.garbage.collect_unseen(grace_seconds=0)
        yield library


def publish(library: Library, path: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(2, 9))) for _ in range(9)]
    draft = library.store.writer.begin(source_document(path))
    vectors = quantize_vectors(library.encoder.encode_documents(texts))
    words = [chunk_words(text, "en") for text in texts]
    library.store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors, words))
    library.store.writer.publish([draft])


def names(steps: Sequence[Step]) -> list[str]:
    return [step.statement.name for step in steps]


def test_hits_found_by_their_cells_are_those_found_without(library: Library) -> None:
    for question in ("w1 w2", "w3 w4 w5", "w6"):
        steps: list[Step] = []
        request = library.request(question, k=20, strategy="cells", probes=2)
        anew = Library(Store(library.store.client), lambda: library.encoder)
        first = anew.search(request)
        found = anew.search(request, watch=steps.append)
        assert [replace(hit, score=0) for hit in found] == [replace(hit, score=0) for hit in first]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in first], abs=1e-12)
        assert names(steps)[-3:] == ["cells_of_chunks", "score_places_in_cells", "hits_in_cells"]


def test_where_all_lie_is_read_once_and_then_where_the_new_ones_do(library: Library) -> None:
    steps: list[Step] = []
    request = library.request("w1 w2 w3", k=30, strategy="cells", probes=9)
    for _ in range(3):
        library.search(request, watch=steps.append)
    assert [name for name in names(steps) if name.startswith(("cells_of", "score_places"))] == [
        "score_places",
        "cells_of_chunks",
        "score_places_in_cells",
        "score_places_in_cells",
    ]
    publish(library, "new", 99)
    steps.clear()
    found = library.search(request, watch=steps.append)
    assert "new" in {hit.source for hit in found}
    (read,) = [step for step in steps if step.statement.name == "cells_of_chunks"]
    assert read.rows == 9  # the new document's


@pytest.mark.slow
def test_a_store_without_cells_is_not_asked_where_its_chunks_lie(library: Library) -> None:
    library.store.client.text("TRUNCATE TABLE cells", None)
    searcher = Store(library.store.client).snapshot().searcher
    run = Runner(library.store.client, lambda step: None)
    assert [searcher.cells_of([(1, 0)], run) for _ in range(2)] == [None, None]
