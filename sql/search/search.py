"""A query in, the chunks nearest to it out: which statement finds them, what it binds, and what to do if it finds few.

Three ways, each one statement of plain SQL, the last two with a look at what is published beside it:

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
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import RagError, StoreError, UsageError
from sql.base.settings import SEARCH_MODES
from sql.engine.statements import Statement
from sql.records import first_generation, fold_query
from sql.search.cells import CELLS_FROM, read_cells
from sql.search.filters import compile_filter
from sql.search.publications import MOST_PUBLICATIONS, Publications
from sql.search.signs import query_signs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sql.engine.client import Client, Row
    from sql.engine.statements import Condition
    from sql.records import QuantizedQuery
    from sql.records.calibration import Calibration
    from sql.search.cells import Cells
    from sql.search.filters import Filter

Rows = TypeVar("Rows", list[dict[str, Any]], bytes)  # of a statement, as Python values or packed

EXACT_UP_TO = 50_000  # rows: so many are scored in less time than two stages take
CANDIDATES, CANDIDATES_PER_RESULT = 300, 15  # rescored of a two-stage search: the larger of the two
PROBES = 64  # cells that a search reads
LEAST_ASSIGNED = 0.8  # of the rows: where fewer lie in the newest cells, cells leave too little unread
WIDER = 8  # times as many results, candidates and probes where the first ones left fewer than k
# Times as many candidates or probes, and times as many rows returned. More are returned only where rows that are not
# published were among the ones before; a wider search at once could find others than it would have found without them.
WIDENINGS = ((1, 1), (1, WIDER), (WIDER, 1), (WIDER, WIDER))
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
            raise UsageError(f"the search mode {self.mode!r:.80} is not known: choose one of {', '.join(SEARCH_MODES)}")
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
    _publications: Publications = field(default_factory=Publications.none)

    def search(self, request: Request, watch: Callable[[Step], None] = lambda step: None) -> list[Row]:
        """The rows of the k nearest chunks, best first; fewer only where fewer are there."""
        run, dropped = Runner(self.client, watch), False
        quick = self.quick_search(request, run)
        if quick is None:
            return run("search", exact_statement(request))
        for wider, more in WIDENINGS:
            if more > 1 and not dropped:
                continue
            hidden = self.hidden_generations(request.epoch, run)
            if hidden is None:
                break
            rows = run("search", quick(hidden, wider, more))
            published = self.published(rows, request.epoch, run)
            dropped = len(published) < len(rows)
            # A row that is not published may have taken the place of another one of its document.
            spoiled = dropped and request.per_document is not None
            if len(published) >= request.k and not spoiled:
                return published[: request.k]
        return run("search", exact_statement(request))

    def first_statement(self, request: Request) -> Statement:
        """The statement that a search begins with, and ends with unless it finds fewer than k."""
        run = Runner(self.client, lambda step: None)
        quick, hidden = self.quick_search(request, run), self.known_hidden(request.epoch)
        return exact_statement(request) if quick is None or hidden is None else quick(hidden, 1, 1)

    def quick_search(self, request: Request, run: Runner) -> Callable[[list[int], int, int], Statement] | None:
        """What makes the statement of a search that passes over hidden generations, looks so many times wider and returns
        so many times more rows; None where the search is to be exact."""
        mode, share = request.options.mode, 1.0
        if mode == "auto":
            mode, share = self.choose_mode(request, run)
        if mode == "exact" or self.hidden_generations(request.epoch, run) is None:
            return None
        if mode == "two-stage":
            return partial(two_stage_statement, request)
        probes = request.options.probes or math.ceil(PROBES / max(share, 1 / WIDER))
        return partial(cells_statement, request, self.cells(request.epoch, run), probes)

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

    def hidden_generations(self, epoch: int, run: Runner) -> list[int] | None:
        """Generations with rows that must not take a candidate's place; None where they are too many to be named.

        Listed once an epoch. Generations begun at this epoch or later have higher numbers, by which two stages pass over
        them. A draft begun before the epoch whose rows came after the list is added to it when it is met.
        """
        hidden = self._hidden.get(epoch)
        if hidden is None:
            rows = run("hidden", Statement("hidden_generations", {"epoch": epoch, "limit": MAX_HIDDEN + 1}))
            hidden = [row["generation"] for row in rows]
            self._hidden = {epoch: hidden}
        return hidden if len(hidden) <= MAX_HIDDEN else None

    def known_hidden(self, epoch: int) -> list[int] | None:
        """The same where it has been listed already, else None."""
        hidden = self._hidden.get(epoch)
        return hidden if hidden is not None and len(hidden) <= MAX_HIDDEN else None

    def published(self, rows: list[Row], epoch: int, run: Runner) -> list[Row]:
        """Those rows whose generation was published by an epoch; drafts begun before it are hidden from now on.

        Only what came since the last look is read. What is then still unknown is asked for by its number: there may be
        more publications than are remembered, or one that arrived late.
        """
        generations, known = [row["generation"] for row in rows], self._publications
        unknown = unknown_among(generations, known, epoch)
        if unknown and epoch > known.known_until and not known.full:
            values = {"after": known.known_until, "epoch": epoch, "limit": MOST_PUBLICATIONS}
            known = known.extended(run.pairs("published", Statement("publications", values)), epoch)
            self._publications = known
            unknown = unknown_among(generations, known, epoch)
        asked: dict[str, Any] = {"generations": unknown, "epoch": epoch}
        found = run("published", Statement("published_among", asked)) if unknown else []
        late = {row["generation"] for row in found}
        shown = known.visible(generations, epoch).tolist()
        kept = [row for row, is_shown in zip(rows, shown, strict=True) if is_shown or row["generation"] in late]
        drafts, listed = set(unknown) - late, self._hidden.get(epoch)
        # Where another thread has gone on to a later epoch, a list of these drafts alone would hide too little.
        if drafts and listed is not None:
            self._hidden = {epoch: sorted(drafts.union(listed))}
        return kept


def unknown_among(generations: list[int], known: Publications, epoch: int) -> list[int]:
    """The generations that may have been published by an epoch although nobody here knows it: those begun before it."""
    visible, begun_later = known.visible(generations, epoch).tolist(), first_generation(epoch)
    pairs = zip(generations, visible, strict=True)
    return sorted({generation for generation, shown in pairs if not shown and generation < begun_later})


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs statements and tells a listener about each."""

    client: Client
    watch: Callable[[Step], None]

    def __call__(self, stage: str, statement: Statement) -> list[Row]:
        return self._timed(stage, statement, self.client.query)

    def pairs(self, stage: str, statement: Statement) -> bytes:
        """The rows of a statement that returns two UInt64 columns, packed as RowBinary."""
        return self._timed(stage, statement, self.client.query_packed, row_length=16)

    def _timed(self, stage: str, statement: Statement, read: Callable[[Statement], Rows], row_length: int = 1) -> Rows:
        started = perf_counter()
        rows = read(statement)
        self.watch(Step(stage, statement, perf_counter() - started, len(rows) // row_length))
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


def candidates(request: Request, wider: int) -> int:
    """How many chunks to keep for the second look: of those with the nearest signs, or before one is too many of its
    document."""
    chosen = request.options.candidates or max(CANDIDATES, CANDIDATES_PER_RESULT * request.k)
    return min(wider * chosen, NO_LIMIT)


def exact_statement(request: Request) -> Statement:
    """Scores every visible chunk that passes the filter."""
    values = query_values(request)
    if request.per_document is None:
        return Statement("search_exact", values, request.condition)
    values["per_document"] = request.per_document
    return Statement("search_exact_per_document", values, request.condition)


def cells_statement(request: Request, cells: Cells, probes: int, hidden: list[int], wider: int, more: int) -> Statement:
    """Scores the chunks of the cells nearest to the query."""
    values = quick_values(request, more, hidden) | {
        "cells": cells.nearest(request.query.codes, wider * probes),
        "first_cell": cells.first_cell,
        "last_cell": cells.last_cell,
    }
    if request.per_document is None:
        return Statement("search_cells", values, request.condition)
    values |= {
        "candidates": candidates(request, wider),
        "begun_later": first_generation(request.epoch),
        "per_document": request.per_document,
    }
    return Statement("search_cells_per_document", values, request.condition)


def two_stage_statement(request: Request, hidden: list[int], wider: int, more: int) -> Statement:
    """Compares all signs and scores the candidates."""
    signs = query_signs(request.query)
    values = quick_values(request, more, hidden) | {
        "query_signs": signs.hex(),
        "sign_bytes": len(signs),
        "candidates": candidates(request, wider),
        "begun_later": first_generation(request.epoch),
        "per_document": request.per_document or NO_LIMIT,
    }
    return Statement("search_two_stage", values, request.condition)


def documents_statement(request: Request) -> Statement:
    """The k nearest documents, each by its best chunk."""
    return Statement("search_documents", query_values(request), request.condition)


def query_values(request: Request) -> dict[str, Any]:
    """The values every search statement binds that decides itself what is published."""
    return code_values(request.query, request.calibration) | {"epoch": request.epoch, "k": request.k}


def quick_values(request: Request, more: int, hidden: list[int]) -> dict[str, Any]:
    """The values of a statement that is only told what is hidden; the rest is looked up afterwards."""
    return code_values(request.query, request.calibration) | {"k": min(more * request.k, NO_LIMIT), "dead": hidden}


def code_values(query: QuantizedQuery, calibration: Calibration | None) -> dict[str, Any]:
    """A query as statements compare it with codes: shared ranges per dimension are folded into it."""
    folded, offset = fold_query(query, calibration)
    return {
        "query": folded.codes.tolist(),
        "query_sum": int(folded.codes.sum(dtype="int64")),
        "query_offset": offset,
        "query_scale": float(folded.scale),
    }
