"""Maximal marginal relevance: by hand, against a slow twin, and its laws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import vectors_of

from rag.index.vector_coder import code_vectors, fit_calibration
from rag.int8.quantization import quantize_query, quantize_vectors
from rag.retrieve.mmr import choose_diverse as choose
from rag.retrieve.mmr import query_cosines
from sql.base.errors import InvalidVector, RagError
from sql.base.settings import GRANULARITIES
from sql.records import QuantizedQuery, QuantizedVectors
from sql.records.calibration import Quantizer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def quantized(rows: list[list[float]]) -> QuantizedVectors:
    return quantize_vectors(np.array(rows, dtype=np.float32))


def query(*numbers: float) -> QuantizedQuery:
    return quantize_query(np.array(numbers, dtype=np.float32))


def choose_diverse(q: QuantizedQuery, vectors: QuantizedVectors, k: int, weight: float = 0.5) -> list[int]:
    return choose(query_cosines(q, vectors), vectors, k, weight)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    product = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(sum(float(x) ** 2 for x in a)) * math.sqrt(sum(float(y) ** 2 for y in b))
    return product / lengths if lengths else 0.0


def slow_merits(q: QuantizedQuery, vectors: QuantizedVectors, chosen: list[int], weight: float) -> dict[int, float]:
    """What each vector that is left is worth, by the formula and nothing else."""
    wanted = q.codes.astype(np.float64) * q.scale
    stored = vectors.steps() * vectors.step_widths()
    merits = {}
    for row in range(len(vectors)):
        if row not in chosen:
            relevance = cosine(wanted, stored[row])
            taken = [cosine(stored[row], stored[other]) for other in chosen]
            merits[row] = relevance if not taken else weight * relevance - (1 - weight) * max(taken)
    return merits


def test_a_twin_of_the_nearest_waits_behind_something_new() -> None:
    vectors = quantized([[1, 0, 0], [0.99, 0.01, 0], [0.7, 0, 0.7], [0, 1, 0]])
    assert choose_diverse(query(1, 0.1, 0.1), vectors, 4, weight=1) == [1, 0, 2, 3]
    assert choose_diverse(query(1, 0.1, 0.1), vectors, 3, weight=0.5)[:2] == [1, 3]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 12),
    k=st.integers(1, 14),
    weight=st.floats(0, 1),
    granularity=st.sampled_from(GRANULARITIES),
)
def test_every_choice_is_the_best_of_what_was_left(
    seed: int, rows: int, k: int, weight: float, granularity: str
) -> None:
    random = np.random.default_rng(seed)
    floats = random.standard_normal((rows, 6)).astype(np.float32)
    quantizer = Quantizer("asymmetric", granularity)
    shared = fit_calibration(floats, quantizer, "") if quantizer.calibrated else None
    vectors = quantize_vectors(floats) if shared is None else code_vectors(floats, shared)
    q = quantize_query(random.standard_normal(6).astype(np.float32))
    chosen = choose_diverse(q, vectors, k, weight)
    assert len(chosen) == len(set(chosen)) == min(k, rows)
    for number, row in enumerate(chosen):
        merits = slow_merits(q, vectors, chosen[:number], weight)
        assert merits[row] == pytest.approx(max(merits.values()), abs=1e-12)


def test_weight_1_is_the_order_of_the_search() -> None:
    vectors = vectors_of([f"text {number}" for number in range(20)])
    q = quantize_query(vectors.dequantize()[7])
    assert choose_diverse(q, vectors, 20, weight=1) == np.argsort(-query_cosines(q, vectors), kind="stable").tolist()


def test_of_equals_the_first_counts_and_zeros_have_no_direction() -> None:
    vectors = quantized([[0, 0], [1, 1], [1, 1], [0, 0]])
    assert choose_diverse(query(1, 1), vectors, 4, weight=1) == [1, 2, 0, 3]
    assert query_cosines(query(1, 1), vectors).tolist() == pytest.approx([0, 1, 1, 0])
    assert query_cosines(query(0, 0), vectors).tolist() == [0, 0, 0, 0]


def test_the_largest_codes_do_not_overflow() -> None:
    dimensions = 8192
    vectors = QuantizedVectors(
        np.full((2, dimensions), 127, dtype=np.int8),
        np.ones(2, dtype=np.float32),
        np.full(2, -128, dtype=np.int8),
    )
    q = QuantizedQuery(np.full(dimensions, 2047, dtype=np.int16), 1.0)
    assert query_cosines(q, vectors).tolist() == pytest.approx([1, 1])
    assert choose_diverse(q, vectors, 2) == [0, 1]


@pytest.mark.parametrize(("k", "weight"), [(0, 0.5), (-1, 0.5), (1, -0.1), (1, 1.1), (1, math.nan)])
def test_what_makes_no_sense_is_refused(k: int, weight: float) -> None:
    with pytest.raises(RagError):
        choose_diverse(query(1, 0), quantized([[1, 0]]), k, weight)


def test_a_query_of_other_dimensions_is_refused() -> None:
    with pytest.raises(InvalidVector):
        choose_diverse(query(1, 0, 0), quantized([[1, 0]]), 1)
