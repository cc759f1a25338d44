"""Every statement that scores and everything that SQL clients score with give the same floats for the rows of a table."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from server import PASSWORD, Server, running_shards
from support import chunks_of, identity, source_document

from rag.index.vector_coder import VectorCoder
from rag.int8.quantization import quantize_query, scores
from sql.engine.statements import PARAMETER, Statement, file_names, read_statement
from sql.records import first_generation, fold_query
from sql.records.calibration import Quantizer
from sql.search.signs import query_signs
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sql.records import QuantizedQuery, QuantizedVectors

DIMENSIONS, DOCUMENTS, CHUNKS = 8, 6, 4
BOUNDS = {
    "highest_bounds.sql",
    "highest_hybrid_bounds.sql",
}  # return upper bounds, which tests of the certificate look at
SCORING = [
    name.removesuffix(".sql")
    for name in file_names("queries")
    if "{query_scale:" in read_statement(f"queries/{name}") and name not in BOUNDS
]
GRANULARITIES = ["vector", "dimension", "collection"]


@pytest.fixture(scope="module")
def shards() -> Iterator[list[Server]]:
    with running_shards() as running:
        yield running


def new_place(back_end: str, name: str, request: pytest.FixtureRequest) -> str:
    """A place for a new store."""
    if back_end == "chdb":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        return str(factory.mktemp(name) / "store")
    hosts = ",".join(f"127.0.0.1:{shard.http}" for shard in request.getfixturevalue("shards"))
    user = f"maintainer:{urllib.parse.quote(PASSWORD, safe='')}"
    return f"clickhouse://{user}@{hosts}/rag_scores_{name}?cluster=two"


@dataclass(frozen=True, slots=True)
class Stored:
    """A store and the vectors that are in it, row by row, each with its document and index."""

    store: Store
    vectors: QuantizedVectors
    places: list[tuple[UUID, int]]

    def scores(self, query: QuantizedQuery) -> dict[tuple[UUID, int], float]:
        """What NumPy makes of them."""
        return dict(zip(self.places, map(float, scores(query, self.vectors)), strict=True))


# On shards every day with the ranges that need most of a statement: those of each dimension.
STORED = [
    pytest.param((back_end, granularity), id=f"{granularity}-{back_end}", marks=pytest.mark.slow if rare else ())
    for back_end in ("chdb", "cluster")
    for granularity in GRANULARITIES
    for rare in [back_end == "cluster" and granularity != "dimension"]
]


@pytest.fixture(scope="module", params=STORED)
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    """Vectors whose dimensions have ranges of their own: one is narrow, one wide, one never negative."""
    random = np.random.default_rng(1)
    floats = random.standard_normal((DOCUMENTS * CHUNKS, DIMENSIONS)) * np.array([0.01, 10, 1, 1, 0.5, 2, 1, 3])
    floats[:, 2] = np.abs(floats[:, 2]) + 1
    back_end, granularity = request.param
    quantizer = Quantizer("asymmetric", granularity)
    with Store.open(new_place(back_end, granularity, request), write=True) as store:
        store.prepare(identity(), quantizer.name)
        coder = VectorCoder.for_store(store, identity())
        if coder.needs_sample:
            coder.calibrate(floats.astype(np.float32))
        vectors = coder.encode(floats.astype(np.float32))
        drafts = [store.writer.begin(source_document(f"{number}.txt")) for number in range(DOCUMENTS)]
        chunks = [(draft, chunk) for draft in drafts for chunk in chunks_of([str(row) for row in range(CHUNKS)])]
        store.writer.insert(ChunkBatch(chunks, vectors))
        store.writer.publish(drafts)
        yield Stored(store, vectors, [(draft.document_id, chunk.index) for draft, chunk in chunks])


def values_of(name: str, stored: Stored, query: QuantizedQuery) -> dict[str, Any]:
    """The values of a statement that is to find every row."""
    epoch = stored.store.epoch()
    folded, offset = fold_query(query, stored.vectors.calibration)
    signs = query_signs(query)
    rows = stored.store.client.text("SELECT generation, chunk_index FROM chunks", "JSONCompactEachRow").splitlines()
    keys = [json.loads(row) for row in rows]
    values = {
        "query": folded.codes.tolist(), "query_sum": int(folded.codes.sum(dtype=np.int64)), "query_offset": offset,
        "query_scale": folded.scale, "query_signs": signs.hex(), "sign_bytes": len(signs), "epoch": epoch,
        "begun_later": first_generation(epoch), "dead": [], "cells": [0] * len(keys), "first_cell": 1, "last_cell": 1,
        "candidates": 1000, "per_document": 1000, "k": 1000, "vector_share": 1.0, "most": 1.0,
        "generations": [int(generation) for generation, _ in keys], "indexes": [index for _, index in keys],
        "scores": [0.0] * len(keys), "terms": ["none"],
    }  # fmt: skip
    return {match[1]: values[match[1]] for match in PARAMETER.finditer(read_statement(f"queries/{name}.sql"))}


def some_queries() -> list[QuantizedQuery]:
    random = np.random.default_rng(2)
    return [quantize_query(random.standard_normal(DIMENSIONS).astype(np.float32)) for _ in range(3)]


def select(stored: Stored, sql: str, values: dict[str, Any]) -> dict[tuple[str, int], float]:
    """The column `score` of some SQL by document and index."""
    lines = stored.store.client.text(sql, "JSONEachRow", values).splitlines()
    return {(row["document_id"], row["chunk_index"]): row["score"] for row in map(json.loads, lines)}


@pytest.mark.everyday("chdb")
@pytest.mark.parametrize("name", SCORING)
def test_every_statement_that_scores_gives_the_floats_of_numpy(stored: Stored, name: str) -> None:
    for query in some_queries():
        expected = stored.scores(query)
        rows = stored.store.client.query(Statement(name, values_of(name, stored, query)))
        documents = {document.generation: document.document_id for document in stored.store.snapshot().documents()}
        found = {
            (documents[row["generation"]] if "generation" in row else row["document_id"], row["chunk_index"]): row[
                "number" if name == "score_everything" else "score"
            ]
            for row in rows
        }
        assert found.items() <= expected.items()
        best = {document_id for document_id, _ in expected} if name == "search_documents" else expected.keys()
        assert len(found) == len(best)


@pytest.mark.everyday("chdb")
def test_rag_score_gives_the_floats_of_the_search(stored: Stored) -> None:
    function = "SELECT document_id, chunk_index, {} AS score FROM live_chunks(epoch = {{epoch:UInt64}})"
    call = "rag_score({query:Array(Int16)}, {query_scale:Float64}, codes, scale, zero_point)"
    # With ranges per dimension the query is folded, and a constant belongs between product and scale.
    parts = (
        "(rag_score({query:Array(Int16)}, 1., codes, scale, zero_point) + {query_offset:Int64}) * {query_scale:Float64}"
    )
    for query in some_queries():
        values = values_of("search_exact", stored, query)
        expected = {(str(document_id), index): score for (document_id, index), score in stored.scores(query).items()}
        assert select(stored, function.format(parts), values) == expected
        assert (select(stored, function.format(call), values) == expected) == (values["query_offset"] == 0)


@pytest.mark.everyday("chdb")
def test_nearest_chunks_gives_the_floats_of_the_search(stored: Stored) -> None:
    random = np.random.default_rng(3)
    view = "SELECT document_id, chunk_index, score FROM nearest_chunks(epoch = {epoch:UInt64}, query = {query:Array(Float32)})"
    for _ in range(3):
        vector = random.standard_normal(DIMENSIONS).astype(np.float32)
        values = {"epoch": stored.store.epoch(), "query": vector.tolist()}
        expected = stored.scores(quantize_query(vector))
        assert select(stored, view, values) == {(str(one), index): score for (one, index), score in expected.items()}
