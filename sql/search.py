"""A query in, the chunks nearest to it out: which statement finds them, what it binds, and what to do if it finds few.

Three ways, each one statement of plain SQL:

- *exact* scores every visible chunk by int8 arithmetic;
- *two-stage* compares the signs of every chunk first, which are a quarter of the codes' bytes, and scores only the
  candidates whose signs differ least;
- *cells* scores the chunks of the cells nearest to the query, and leaves the rest of the table unread.

Left alone, a small table is searched exactly, a larger one in two stages, and one that has cells by them. A filter
decides before anything is ranked; where few chunks pass it, those are searched exactly. Whatever the way, k chunks come
back if k are there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sql.calibration import fold_query
from sql.cells import CELLS_FROM, read_cells
from sql.errors import RagError, StoreError, UsageError
from sql.filters import compile_filter
from sql.records import first_generation
from sql.settings import SEARCH_MODES
from sql.signs import query_signs
from sql.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sql.calibration import Calibration
    from sql.cells import Cells
    from sql.client import Client, Row
    from sql.filters import Filter
    from sql.records import QuantizedQuery
    from sql.statements import Condition

EXACT_UP_TO = 50_000  # rows: so many are scored in less time than two stages take
CANDIDATES, CANDIDATES_PER_RESULT = 300, 15  # rescored of a two-stage search: the larger of the two
SPARE = 2  # times k: how many a search of cells keeps before it looks up what is published
PROBES = 64  # cells that a search reads
LEAST_ASSIGNED = 0.8  # of the rows: where fewer lie in the newest cells, cells leave too little unread
WIDER = 8  # times as many candidates where the first ones left fewer than k results
MAX_HIDDEN = 10_000  # generations that a statement names; a store with more of them waits for its garbage collection
NO_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search. `mode` is auto, exact, two-stage or cells; two-stage rescores `candidates`, cells reads `probes`.

    Raises UsageError for a mode there is not, and for less than 1 candidate or probe.
    """

    mode: str = "auto"
    candidates: int | None = None
    probes: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in SEARCH_MODES:
            raise UsageError(f"the search mode {self.mode!r:.80} is none: choose one of {', '.join(SEARCH_MODES)}")
        if self.candidates is not None and self.candidates < 1:
            raise UsageError(f"{self.candidates} candidates: at least 1 is needed")
        if self.probes is not None and self.probes < 1:
            raise UsageError(f"{self.probes} probes: at least 1 cell has to be searched")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, checked: the k nearest at an epoch, what they must be like, and how many of one document.

    `calibration` holds the ranges that the codes of the epoch share, None where each vector has its own.
    """

    query: QuantizedQuery
    k: int
    epoch: int
    condition: Condition | None = None
    per_document: int | None = None
    options: SearchOptions = field(default_factory=SearchOptions)
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that was run, what for, how long it took and how many rows it returned."""

    stage: str
    statement: Statement
    seconds: float
    rows: int


@dataclass
class Searcher:
    """Runs searches over one client, and remembers for an epoch what does not change while it lasts."""

    client: Client
    _hidden: dict[int, list[int]] = field(default_factory=dict)
    _tables: dict[int, Row] = field(default_factory=dict)
    _cells: Cells | None = None

    def search(self, request: Request, watch: Callable[[Step], None] = lambda step: None) -> list[Row]:
        """The rows of the k nearest chunks, best first; fewer only where fewer are there."""
        run = Runner(self.client, watch)
        for statement in self.attempts(request, run):
            rows = run("search", statement)
            if len(rows) == request.k:
                break
        return rows

    def first_statement(self, request: Request) -> Statement:
        """The statement that a search begins with, and ends with unless it finds fewer than k."""
        return next(self.attempts(request, Runner(self.client, lambda step: None)))

    def attempts(self, request: Request, run: Runner) -> Iterator[Statement]:
        """Statements to try until one returns k rows; the last one is exact, so what it leaves out is not there."""
        mode, share = request.options.mode, 1.0
        if mode == "auto":
            mode, share = self.choose_mode(request, run)
        if mode != "exact":
            hidden = self.hidden_generations(request.epoch, run)
            if hidden is not None:
                candidates = request.options.candidates or default_candidates(request, mode)
                probes = request.options.probes or math.ceil(PROBES / max(share, 1 / WIDER))
                for factor in (1, WIDER):
                    if mode == "cells":
                        yield self.cells_statement(request, factor * probes, factor * candidates, hidden, run)
                    else:
                        yield two_stage_statement(request, factor * candidates, hidden)
        yield exact_statement(request)

    def choose_mode(self, request: Request, run: Runner) -> tuple[str, float]:
        """Exact where few chunks are left to search, else cells where there are some; and the share that is left."""
        table = self.table(request.epoch, run)
        rows = matches = table["row_count"]
        if rows > EXACT_UP_TO and request.condition is not None:
            matches = run("matches", Statement("count_matches", {}, request.condition))[0]["match_count"]
        if matches <= EXACT_UP_TO:
            return "exact", 1.0
        has_cells = table["last_cell"] and table["assigned"] >= LEAST_ASSIGNED * rows
        return ("cells" if has_cells else "two-stage"), matches / rows

    def table(self, epoch: int, run: Runner) -> Row:
        """How many rows the table holds, and how many of them lie in the newest cells."""
        table = self._tables.get(epoch)
        if table is None:
            (table,) = run("table", Statement("cell_range"))
            self._tables = {epoch: table}
        return table

    def cells(self, epoch: int, run: Runner) -> Cells:
        """The newest cells, read again only when there are newer ones; StoreError where there are none yet."""
        newest = self.table(epoch, run)["last_cell"]
        if self._cells is None or self._cells.last_cell != newest:
            self._cells = read_cells(run("cells", Statement("cells"))) if newest else None
        if self._cells is None:
            raise StoreError(
                f"the store {self.client.location} has no cells: ingest makes them from {CELLS_FROM} chunks on, "
                "search with `--search two-stage`"
            )
        return self._cells

    def cells_statement(
        self, request: Request, probes: int, candidates: int, hidden: list[int], run: Runner
    ) -> Statement:
        """Scores the chunks of the cells nearest to the query; StoreError where there are no cells yet."""
        cells = self.cells(request.epoch, run)
        values = query_values(request) | {
            "cells": cells.nearest(request.query.codes, probes),
            "first_cell": cells.first_cell,
            "last_cell": cells.last_cell,
            "candidates": min(candidates, NO_LIMIT),
            "dead": hidden,
            "per_document": request.per_document or NO_LIMIT,
        }
        return Statement("search_cells", values, request.condition)

    def hidden_generations(self, epoch: int, run: Runner) -> list[int] | None:
        """Generations with rows that must not take a candidate's place; None where they are too many to be named.

        Generations begun at this epoch or later have higher numbers and need no naming: two stages pass over the
        numbers. Cells do not, nor is a draft named that was begun before the epoch and whose rows came after the list:
        such rows may become candidates, and are dropped when the statement decides what is published.
        """
        hidden = self._hidden.get(epoch)
        if hidden is None:
            rows = run("hidden", Statement("hidden_generations", {"epoch": epoch, "limit": MAX_HIDDEN + 1}))
            hidden = [row["generation"] for row in rows]
            self._hidden = {epoch: hidden}
        return hidden if len(hidden) <= MAX_HIDDEN else None


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs statements and tells a listener about each."""

    client: Client
    watch: Callable[[Step], None]

    def __call__(self, stage: str, statement: Statement) -> list[Row]:
        started = perf_counter()
        rows = self.client.query(statement)
        self.watch(Step(stage, statement, perf_counter() - started, len(rows)))
        return rows


def make_request(
    query: QuantizedQuery,
    k: int,
    epoch: int,
    given: Filter | None = None,
    per_document: int | None = None,
    options: SearchOptions | None = None,
    calibration: Calibration | None = None,
) -> Request:
    """A request; RagError for a k or a number per document below 1, InvalidFilter for a filter that means nothing."""
    if k < 1:
        raise RagError(f"k is {k}: it must be at least 1")
    if per_document is not None and per_document < 1:
        raise RagError(f"{per_document} chunks of one document: it must be at least 1")
    condition = compile_filter(given) if given else None
    return Request(query, min(k, NO_LIMIT), epoch, condition, per_document, options or SearchOptions(), calibration)


def default_candidates(request: Request, mode: str) -> int:
    """Signs tell little, so two stages score many candidates. Cells have scored theirs already, and keep some more than
    are asked for: for what is not published after all, or is one too many of its document."""
    if mode == "cells" and request.per_document is None:
        return SPARE * request.k
    return max(CANDIDATES, CANDIDATES_PER_RESULT * request.k)


def exact_statement(request: Request) -> Statement:
    """Scores every visible chunk that passes the filter."""
    values = query_values(request)
    if request.per_document is None:
        return Statement("search_exact", values, request.condition)
    values["per_document"] = request.per_document
    return Statement("search_exact_per_document", values, request.condition)


def two_stage_statement(request: Request, candidates: int, hidden: list[int]) -> Statement:
    """Compares all signs and scores the candidates."""
    signs = query_signs(request.query)
    values = query_values(request) | {
        "query_signs": signs.hex(),
        "sign_bytes": len(signs),
        "candidates": min(candidates, NO_LIMIT),
        "dead": hidden,
        "begun_later": first_generation(request.epoch),
        "per_document": request.per_document or NO_LIMIT,
    }
    return Statement("search_two_stage", values, request.condition)


def documents_statement(request: Request) -> Statement:
    """The k nearest documents, each by its best chunk."""
    return Statement("search_documents", query_values(request), request.condition)


def query_values(request: Request) -> dict[str, Any]:
    """The values every search statement binds."""
    return code_values(request.query, request.calibration) | {"epoch": request.epoch, "k": request.k}


def code_values(query: QuantizedQuery, calibration: Calibration | None) -> dict[str, Any]:
    """A query as statements compare it with codes: shared ranges per dimension are folded into it."""
    folded, offset = fold_query(query, calibration)
    return {
        "query": folded.codes.tolist(),
        "query_sum": int(folded.codes.sum(dtype="int64")),
        "query_offset": offset,
        "query_scale": float(folded.scale),
    }
