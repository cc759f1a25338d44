"""The benchmark of searches: which settings it times, how it rounds for a peer, and how it tells what a search missed."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its modules by their last names."""
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    names = ("clickhouse", "measure", "wrong", "libraries", "ours")
    return SimpleNamespace(**{name: importlib.import_module(f"search_{name}") for name in names})


@pytest.mark.parametrize(
    ("recalls", "timed"),
    [
        ({1: 0.97, 2: 0.981, 3: 0.985, 4: 0.99, 5: 0.996}, {2: [0.98], 4: [0.99], 5: [0.995]}),
        ({1: 0.991, 2: 0.996}, {1: [0.98, 0.99], 2: [0.995]}),
        ({None: 1.0}, {None: [0.98, 0.99, 0.995]}),
        ({1: 0.98, 2: 0.992, 3: 0.992}, {1: [0.98], 2: [0.99]}),  # 0.995 is not reached: the cheapest of the best
        ({1: 0.5, 2: 0.7, 3: 0.6}, {2: []}),
    ],
)
def test_the_cheapest_setting_that_reaches_a_recall_is_timed(
    modules: Any, recalls: dict[Any, float], timed: dict[Any, list[float]]
) -> None:
    assert modules.measure.chosen_settings(recalls) == timed


def test_recall_counts_the_neighbours_of_all_queries(modules: Any) -> None:
    way = modules.measure.Way("half", lambda query, _: [int(query[0]), 99])
    right = np.array([[1, 2], [3, 4]])
    assert modules.measure.recall(way, None, np.array([[1.0], [5.0]]), right) == 1 / 4


def test_a_bfloat16_peer_gets_the_nearest_number_and_not_the_one_below(modules: Any) -> None:
    step = 2.0**-7  # between the bfloat16 from 1 to 2
    values = np.array([1, 1 + 0.49 * step, 1 + 0.51 * step, 1 + step / 2, 1 + 1.5 * step, -1 - 0.75 * step], np.float32)
    expected = [1, 1, 1 + step, 1, 1 + 2 * step, -1 - step]  # a tie goes to the even one
    assert modules.clickhouse.to_bfloat16(values).tolist() == expected


def test_a_vector_in_a_statement_is_the_same_float32(modules: Any) -> None:
    values = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    text = modules.clickhouse.literal(values)
    assert np.array_equal(np.array(text[1:-1].split(","), dtype=np.float32), values)


def test_what_a_search_missed_is_told_by_rows_and_by_recall(modules: Any) -> None:
    assert modules.wrong.told([[1, 2], [3]], [{1, 2}, {3, 4}]) == "1.5 of 2 rows, recall 0.75"
    assert modules.wrong.told([[7, 8], [9, 10]], [{1, 2}, {3, 4}]) == "2.0 of 2 rows, recall 0.00"


@pytest.mark.slow
def test_systems_are_timed_in_turn_each_in_a_process(
    modules: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((10_000, 384), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors.tofile(tmp_path / "vectors.f32")
    np.save(tmp_path / "queries.npy", vectors[:20] + 0.01)
    np.save(tmp_path / "base.npy", vectors)
    systems = {
        "float32": modules.clickhouse.float32,
        "rabitq": modules.clickhouse.rabitq,
        "broken": len,  # a system that cannot be built
        "ours": modules.ours.ours,
    }
    found = dict(modules.measure.in_turn(systems, tmp_path, 10_000, rounds=2))
    assert set(found) == {"float32", "rabitq", "ours"}
    assert "broken: left out" in capsys.readouterr().out
    (scan,) = found["float32"]
    assert scan.recall == 1
    assert all(len(point.walls) == len(point.cpus) == 2 for points in found.values() for point in points)
    assert max(point.recall for point in found["rabitq"]) > 0.9
    assert not list(tmp_path.glob("scratch-*"))
