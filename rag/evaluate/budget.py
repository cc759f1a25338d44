"""A budget in, the cheapest way to search that keeps to it out: chosen from the ladder of a store, which remembers it.

A budget is a recall of the exact answer (`recall=0.99`), for which the cheapest rung is chosen, or a time (`ms=10`), for
which the one that finds most. `check_budget` measures again whether the chosen rung still does.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rag.evaluate.ladder import CELLS, EXACT, TWO_STAGE, Rung, Table, measure_ladder
from rag.evaluate.report import QUESTIONS
from sql.base.errors import RagError, UsageError
from sql.records.choice import SearchChoice
from sql.search.search import EXACT_UP_TO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.evaluate.ladder import Price
    from sql.store import Snapshot, Store

NO_BUDGET = "none"
RECALL, TIME = "recall", "ms"
GROWN = 4  # times as many chunks: what was measured says little about them


@dataclass(frozen=True, slots=True)
class Budget:
    """The least recall of a search, 0 to 1, or the most milliseconds that it may take."""

    name: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Budget:
        """A budget as users write it; UsageError for anything else."""
        found = re.fullmatch(r"\s*(recall|ms)\s*=\s*(\d*\.?\d+)\s*", text)
        if found is None or not (float(found[2]) <= 1 if found[1] == RECALL else float(found[2]) > 0):
            raise UsageError(
                f"the budget {text!r:.80} is not known: give a recall between 0 and 1, such as recall=0.99, or "
                f"milliseconds above 0, such as ms=10, or {NO_BUDGET}"
            )
        return cls(found[1], float(found[2]))

    def __str__(self) -> str:
        return f"{self.name}={self.limit:g}"

    def is_kept(self, recall: float, milliseconds: float) -> bool:
        """Whether a search with this recall and time keeps to it."""
        return recall >= self.limit if self.name == RECALL else milliseconds <= self.limit

    def choose(self, prices: Sequence[Price]) -> Price:
        """The rung to search by; RagError where none keeps to the budget, which a recall always has."""
        timed = [(price, price.milliseconds) for price in prices if price.milliseconds is not None]
        kept = [price for price, milliseconds in timed if self.is_kept(price.recall, milliseconds)]
        if not kept:
            fastest, least = min(timed, key=lambda pair: pair[1])
            raise RagError(
                f"no search of this store keeps to {self}: the fastest, {rung_name(fastest.rung)}, takes {least:.1f} ms; "
                "give more time, or a recall"
            )
        if self.name == RECALL:
            return min(kept, key=cost)
        return min(kept, key=lambda price: (-price.recall, cost(price)))


def cost(price: Price) -> float:
    """Milliseconds of the CPU, which load on the machine changes little, or where they are not known elapsed ones."""
    known = price.milliseconds if price.cpu_milliseconds is None else price.cpu_milliseconds
    return float("inf") if known is None else known


def rung_name(rung: Rung) -> str:
    """A rung with what it takes."""
    taken = {"candidates": rung.candidates, "probes": rung.probes}
    return ", ".join([rung.name, *(f"{number} {name}" for name, number in taken.items() if number is not None)])


def choose_search(store: Store, text: str, questions: int = QUESTIONS) -> str:
    """Chooses how a store searches from now on, for a budget or none, and returns a sentence that tells of it.

    Raises UsageError for an unknown budget, RagError where there is nothing to measure or no search keeps to it.
    """
    if text == NO_BUDGET:
        store.made_with.revise(search_choice="")
        return "searches have no budget: their strategy depends on the size of the store"
    budget, snapshot = Budget.parse(text), store.snapshot()
    rungs = [rung for rung in Table.of(snapshot).rungs() if rung.strategy]
    price = budget.choose(measure_ladder(snapshot, rungs=rungs, questions=questions).prices)
    choice = remembered(budget, price, snapshot.chunk_count())
    store.made_with.revise(search_choice=choice.to_json())
    return f"budget {budget}: {rung_name(price.rung)} finds {choice.recall:.2%} in {choice.milliseconds:.1f} ms"


def remembered(budget: Budget, price: Price, chunks: int) -> SearchChoice:
    """The choice of a rung. The exact search of a small store is what is done anyway, and does not bind a larger one."""
    rung = price.rung
    strategy = "auto" if rung.strategy == EXACT and chunks <= EXACT_UP_TO else rung.strategy
    return SearchChoice(
        str(budget), strategy or "auto", rung.candidates, rung.probes, price.recall, price.milliseconds or 0.0, chunks
    )


def check_budget(snapshot: Snapshot, questions: int = QUESTIONS) -> dict[str, Any] | None:
    """The choice of a store with what its rung finds and takes now, and whether it keeps to the budget; None without one.

    A store that has grown fourfold is to be measured anew, whatever it finds.
    """
    choice = snapshot.collection.choice if snapshot.collection else None
    if choice is None:
        return None
    names = {"two-stage": TWO_STAGE, "cells": CELLS}
    name = names.get(choice.strategy)
    rung = Rung(name, choice.candidates, choice.probes) if name else Table.of(snapshot).exact
    ladder = measure_ladder(snapshot, rungs=[rung], questions=questions)
    (price,) = ladder.prices
    milliseconds = price.milliseconds or 0.0
    holds = Budget.parse(choice.budget).is_kept(price.recall, milliseconds) and ladder.chunks < GROWN * choice.chunks
    return {
        **asdict(choice),
        "recall_now": price.recall,
        "milliseconds_now": milliseconds,
        "chunks_now": ladder.chunks,
        "holds": holds,
    }
