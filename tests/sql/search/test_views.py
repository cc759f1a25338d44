"""Functions and views for SQL clients that go beyond the search: what two stored vectors have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DIMENSIONS, open_store, publish_document, vectors_of

from sql.records import QuantizedVectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sql.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("store")) as store:
        publish_document(store, "a.txt", ["one", "two"])
        publish_document(store, "b.txt", ["one"])
        yield store


def select(store: Store, sql: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.client.text(sql, "JSONEachRow").splitlines()]


def literal(vectors: QuantizedVectors, row: int) -> str:
    codes, scale, zero_point = vectors.codes[row].tolist(), float(vectors.scale[row]), int(vectors.zero_point[row])
    return f"{codes}::Array(Int8), {scale!r}::Float32, {zero_point}::Int8"


@st.composite
def two_vectors(draw: st.DrawFn) -> QuantizedVectors:
    dimensions = draw(st.integers(1, 12))
    code = st.integers(-128, 127)
    return QuantizedVectors(
        np.array(
            draw(st.lists(st.lists(code, min_size=dimensions, max_size=dimensions), min_size=2, max_size=2)), np.int8
        ),
        np.array(draw(st.lists(st.floats(2**-20, 2.0**20, width=32), min_size=2, max_size=2)), np.float32),
        np.array(draw(st.lists(code, min_size=2, max_size=2)), np.int8),
    )


@settings(deadline=None, max_examples=40)
@given(vectors=two_vectors())
def test_rag_inner_product_is_that_of_the_restored_vectors(store: Store, vectors: QuantizedVectors) -> None:
    (row,) = select(store, f"SELECT rag_inner_product({literal(vectors, 0)}, {literal(vectors, 1)}) AS product")
    steps = vectors.steps().tolist()
    whole = sum(a * b for a, b in zip(*steps, strict=True))
    assert row["product"] == pytest.approx(whole * float(vectors.scale[0]) * float(vectors.scale[1]), rel=1e-6)


def test_the_largest_inner_product_neither_wraps_nor_overflows(store: Store) -> None:
    vectors = QuantizedVectors(
        np.full((2, 8192), -128, dtype=np.int8), np.ones(2, dtype=np.float32), np.full(2, 127, dtype=np.int8)
    )
    (row,) = select(store, f"SELECT rag_inner_product({literal(vectors, 0)}, {literal(vectors, 1)}) AS product")
    assert row["product"] == 8192 * 255 * 255


def test_equal_texts_have_a_cosine_of_1(store: Store) -> None:
    rows = select(
        store,
        "SELECT a.text AS text, rag_inner_product(a.codes, a.scale, a.zero_point, b.codes, b.scale, b.zero_point)"
        f" / (a.norm * b.norm) AS cosine FROM live_chunks(epoch = {store.epoch()}) AS a"
        f" CROSS JOIN live_chunks(epoch = {store.epoch()}) AS b"
        " WHERE a.source = 'a.txt' AND b.source = 'b.txt' ORDER BY a.chunk_index",
    )
    one, two = vectors_of(["one", "two"]).dequantize().astype(np.float64)
    expected = [1.0, float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))]
    assert [row["cosine"] for row in rows] == pytest.approx(expected, abs=1e-6)


def test_views_hold_what_a_client_needs_to_show_a_hit(store: Store) -> None:
    at, query = f"epoch = {store.epoch()}", [0.5] * DIMENSIONS
    wanted = "document_id, chunk_index, source, title, heading, line, page, text, metadata"
    for view in (f"live_chunks({at})", f"live_vectors({at})", f"nearest_chunks({at}, query = {query})"):
        rows = select(store, f"SELECT {wanted} FROM {view} ORDER BY source, chunk_index")
        assert [row["text"] for row in rows] == ["one", "two", "one"]
