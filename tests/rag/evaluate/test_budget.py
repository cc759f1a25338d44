"""The budget of a store: what is chosen for it, that searches use it, and that it is said when it no longer holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import chunks_of, open_store, search, source_document, vectors_of, way

from rag.commands.measure import show_budget
from rag.evaluate.budget import Budget, check_budget, choose_search, remembered
from rag.evaluate.ladder import Price, Rung
from rag.int8.quantization import quantize_query
from sql.base.errors import EXIT_USAGE, RagError, UsageError
from sql.base.terminal import run_command
from sql.records.choice import SearchChoice
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sql.search.search import Step

DIMENSIONS = 16
TEXTS = [f"text {number}" for number in range(120)]
QUERY = quantize_query(np.linspace(-1, 1, DIMENSIONS, dtype=np.float32))
CHOICE = SearchChoice("recall=0.9", "two-stage", 20, None, 0.95, 2.5, len(TEXTS))


def price(rung: Rung, recall: float, ms: float, cpu: float | None) -> Price:
    return Price(rung, recall, None, None, 1.0, 1, ms, cpu)


EXACT = price(Rung("8 bits"), 1.0, 20.0, 30.0)
FEW = price(Rung("two-stage", candidates=50), 0.97, 9.0, 11.0)
MANY = price(Rung("two-stage", candidates=300), 0.992, 12.0, 13.0)
CELLS = price(Rung("cells", probes=64), 0.992, 8.0, 14.0)
PRICES = [Price(Rung("signs"), 0.8, None, None, 1.0, 1, None, None), EXACT, FEW, MANY, CELLS]


@pytest.mark.parametrize(
    ("budget", "chosen"),
    [
        ("recall=0.9", FEW),
        ("recall=0.99", MANY),  # by CPU time, which load changes less
        ("recall=1", EXACT),
        ("ms=30", EXACT),
        ("ms=12", MANY),
        (" ms = 8.5 ", CELLS),
    ],
)
def test_the_cheapest_way_with_the_recall_is_chosen_or_the_best_in_the_time(budget: str, chosen: Price) -> None:
    assert Budget.parse(budget).choose(PRICES) is chosen


def test_of_a_server_whose_cpu_time_is_not_known_the_clock_decides() -> None:
    there = [replace(one, cpu_milliseconds=None) for one in PRICES]
    assert Budget.parse("recall=0.99").choose(there).rung == CELLS.rung


def test_a_time_that_no_search_keeps_to_is_an_error_that_names_the_fastest() -> None:
    with pytest.raises(RagError, match=r"ms=5: the fastest, cells, 64 probes, takes 8.0 ms"):
        Budget.parse("ms=5").choose(PRICES)


@pytest.mark.parametrize("text", ["", "0.99", "recall=1.01", "recall=", "ms=0", "ms=-1", "ms=nan", "ms=1e3", "cpu=3"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="the budget"):
        Budget.parse(text)


def test_the_exact_search_of_a_small_store_does_not_bind_a_large_one() -> None:
    assert remembered(Budget("recall", 1), EXACT, 50_000).strategy == "auto"
    assert remembered(Budget("recall", 1), EXACT, 50_001).strategy == "exact"
    assert remembered(Budget("recall", 0.99), MANY, 50_000) == SearchChoice(
        "recall=0.99", "two-stage", 300, None, 0.992, 12.0, 50_000
    )


@pytest.mark.parametrize(("k", "candidates"), [(1, 25), (10, 25), (11, 28), (100, 250)])
def test_candidates_were_chosen_for_ten_chunks_and_grow_with_k(k: int, candidates: int) -> None:
    assert replace(CHOICE, candidates=25).candidates_for(k) == candidates


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("budget") / "store", DIMENSIONS) as one:
        draft = one.writer.begin(source_document("a.txt", metadata={"year": 2020}))
        one.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(TEXTS)], vectors_of(TEXTS, DIMENSIONS)))
        one.writer.publish([draft])
        yield one


@pytest.fixture
def store(opened: Store) -> Store:
    """The store without a budget."""
    opened.made_with.revise(search_choice="")
    return opened


def statements(store: Store, k: int = 5, **how: Any) -> list[tuple[str, int | None]]:
    """The searches that a request leads to, each with its candidates."""
    steps: list[Step] = []
    search(store, QUERY, k, watch=steps.append, **how)
    return [(one.statement.name, one.statement.values.get("candidates")) for one in steps if one.stage == "search"]


def test_searches_that_do_not_say_how_use_the_choice_and_others_do_not(store: Store) -> None:
    assert statements(store) == [("search_exact", None)]
    store.made_with.revise(search_choice=CHOICE.to_json())
    assert statements(store) == [("search_two_stage", 20)]
    assert statements(store, k=50) == [("search_two_stage", 100)]
    assert statements(store, **way("exact")) == [("search_settled", None)]
    assert statements(store, **way("two-stage", candidates=70)) == [("search_two_stage", 70)]
    assert statements(store, filter={"year": 2020}) == [("search_settled", None)]


def test_a_store_remembers_its_budget_until_it_is_given_none(store: Store) -> None:
    told = choose_search(store, "recall=0.99", questions=3)
    again = Store(store.client)
    collection = again.snapshot().collection
    assert collection is not None
    assert collection.choice is not None
    assert collection.choice.budget == "recall=0.99"
    assert collection.choice.recall >= 0.99
    assert collection.choice.chunks == len(TEXTS)
    assert told.startswith("budget recall=0.99: ")
    assert "no budget" in choose_search(store, "none")
    assert store.snapshot().collection == replace(collection, choice=None)
    assert check_budget(store.snapshot()) is None


@pytest.mark.everyday("changes0", "changes4")
@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"budget": "recall=1", "candidates": 11}, False),  # finds less
        ({"budget": "ms=0.0001"}, False),  # takes longer
        ({"budget": "ms=100000"}, True),
        ({"chunks": len(TEXTS) // 4}, False),  # has grown fourfold
        ({"chunks": len(TEXTS) // 4 + 1}, True),
    ],
)
def test_a_budget_holds_while_the_chosen_way_finds_and_takes_what_it_allows(
    store: Store, changes: dict[str, Any], holds: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = (
        replace(CHOICE, budget="recall=0.2") if not changes else replace(CHOICE, **{"budget": "recall=0.2"} | changes)
    )
    store.made_with.revise(search_choice=choice.to_json())
    found = check_budget(store.snapshot(), questions=6)
    assert found is not None
    assert (found["holds"], found["chunks_now"]) == (holds, len(TEXTS))
    show_budget(found)
    assert capsys.readouterr().out.endswith(
        "holds\n" if holds else f"give `--budget {choice.budget}` to an ingest again\n"
    )


def test_a_choice_is_read_as_it_was_written() -> None:
    assert SearchChoice.from_json(CHOICE.to_json()) == CHOICE
    assert SearchChoice.from_json("") is None
    assert json.loads(CHOICE.to_json())["candidates"] == 20


@pytest.mark.parametrize(
    "arguments", [["--budget", "fast"], ["--budget", "ms=10", "--dry-run"], ["--budget", "recall=0.9", "--watch"]]
)
def test_ingest_refuses_a_budget_before_it_does_anything(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ingest.command_line import command

    where = [str(tmp_path), "--db", str(tmp_path / "store")]
    assert run_command(command, [*where, *arguments]) == EXIT_USAGE
    assert "budget" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_request_with_a_choice_keeps_all_else(store: Store) -> None:
    store.made_with.revise(search_choice=CHOICE.to_json())
    request = SearchRequest("what?", 7, per_document=2, language="en")
    asked = store.snapshot().as_chosen(request)
    assert (asked.question, asked.k, asked.per_document, asked.language) == ("what?", 7, 2, "en")
    assert (asked.strategy, asked.candidates) == ("two-stage", 20)
