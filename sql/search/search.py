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

import numpy as np

from sql.base.errors import StoreError
from sql.engine.statements import Statement
from sql.records import first_generation, fold_query
from sql.search.cells import CELLS_FROM, cells_row, read_cells
from sql.search.publications import MOST_PUBLICATIONS, Publications
from sql.search.signs import query_signs
from sql.search.whereabouts import CELL_ROW, MOST_KNOWN, Whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sql.engine.client import Client, Row
    from sql.engine.statements import Condition
    from sql.records import QuantizedQuery
    from sql.records.calibration import Calibration
    from sql.search.cells import Cells
    from sql.search.request import SearchRequest

Rows = TypeVar("Rows", list[dict[str, Any]], bytes)  # of a statement, as Python values or packed

EXACT_UP_TO = 50_000  # rows: so many are scored in less time than two stages take
CANDIDATES, CANDIDATES_PER_RESULT = 300, 15  # rescored of a two-stage search: the larger of the two
PROBES = 80  # nearest cells that a search reads on average, with some between them; fewer where they stand out
LEAST_ASSIGNED = 0.8  # of the rows: where fewer lie in the newest cells, cells leave too little unread
WIDER = 8  # times as many results, candidates and probes where the first ones left fewer than k
# Times as many candidates or probes, and times as many rows returned. More are returned only where rows that are not
# published were among the ones before; a wider search at once could find others than it would have found without them.
WIDENINGS = ((1, 1), (1, WIDER), (WIDER, 1), (WIDER, WIDER))
LISTED = ("search_exact_listed", "rank_exact_listed")  # searches that look at every chunk
SETTLED = ("search_cells", "rank_cells", *LISTED)  # searches that have a short form
MAX_HIDDEN = 10_000  # generations that a statement names; a store with more of them waits for its garbage collection
NO_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class VectorSearch:
    """A request as the statements of one epoch bind it: its vector as codes, and the ranges that the codes there share.

    `calibration` is None where each vector has a range of its own. With a limit for each document everything comes, whatever
    is wanted.
    """

    request: SearchRequest
    query: QuantizedQuery
    epoch: int
    calibration: Calibration | None = None
    places_only: bool = False  # generations, indexes and scores are all that is wanted of the chunks

    @property
    def k(self) -> int:
        """How many chunks are wanted."""
        return min(self.request.k, NO_LIMIT)

    @property
    def condition(self) -> Condition | None:
        """What they must be like."""
        return self.request.condition

    @property
    def per_document(self) -> int | None:
        """How many of them may be of one document."""
        return self.request.per_document


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that was run, what for, how long it took and how many rows it returned."""

    stage: str
    statement: Statement
    seconds: float
    rows: int


@dataclass
class Searcher:
    """Runs searches at one epoch, and remembers what does not change while it lasts.

    `publications`, `newest_cells` and `whereabouts` are what was known at an epoch before: all are only added to.
    """

    client: Client
    epoch: int
    publications: Publications = field(default_factory=Publications.none)
    newest_cells: Cells | None = None
    whereabouts: Whereabouts | None = None  # None until it is asked for: the first who asks does without
    _hidden: list[int] | None = None
    _table: Row | None = None
    _was_exact: bool = False  # some search

    def at(self, epoch: int) -> Searcher:
        """One at another epoch that knows what this one has found out."""
        return Searcher(self.client, epoch, self.publications, self.newest_cells, self.whereabouts)

    def search(self, search: VectorSearch, watch: Callable[[Step], None] = lambda step: None) -> list[Row]:
        """The rows of the k nearest chunks, best first; fewer only where fewer are there."""
        run, dropped = Runner(self.client, watch), False
        quick = self.quick_search(search, run)
        if quick is None:
            return run("search", exact_statement(search))
        for wider, more in WIDENINGS:
            if more > 1 and not dropped:
                continue
            hidden = self.hidden_generations(run)
            if hidden is None:
                break
            statement = quick(hidden, wider, more)
            rows = self.ranked(statement, run)
            published = self.published(rows, run)
            dropped = len(published) < len(rows)
            # A row that is not published may have taken the place of another one of its document.
            spoiled = dropped and search.per_document is not None
            whole = statement.name in LISTED and not dropped  # there are no more
            if (len(published) >= search.k or whole) and not spoiled:
                return published[: search.k]
        return run("search", exact_statement(search))

    def first_statement(self, search: VectorSearch) -> Statement:
        """The statement that a search begins with, and ends with unless it finds fewer than k."""
        run = Runner(self.client, lambda step: None)
        quick, hidden = self.quick_search(search, run), self.known_hidden()
        if quick is None or hidden is None:
            return exact_statement(search)
        statement = quick(hidden, 1, 1)
        return self.settled(statement, run) or statement

    def ranked(self, statement: Statement, run: Runner) -> list[Row]:
        """The rows of a statement, by its short form where that finds the same ones."""
        short = self.settled(statement, run)
        if short is None:
            return run("search", statement)
        rows, k = run("search", short), int(str(statement.values["k"]))
        if len(rows) > k and rows[k - 1]["score"] == rows[k]["score"]:
            return run("search", statement)  # only the whole order says which of the equal ones come first
        return sorted(rows[:k], key=order_of_hits)

    def settled(self, statement: Statement, run: Runner) -> Statement | None:
        """The short form of a search; None of one that has none, and where chunks are hidden or outside the cells.

        Rows that come after these were counted are not published at the epoch.
        """
        if statement.name not in SETTLED or statement.values["dead"]:
            return None
        if statement.name not in LISTED and (table := self.table(run))["assigned"] < table["row_count"]:
            return None
        return settled_statement(statement)

    def quick_search(self, search: VectorSearch, run: Runner) -> Callable[[list[int], int, int], Statement] | None:
        """What makes the statement of a search that passes over hidden generations, looks so many times wider and returns
        so many times more rows; None where the search is to be exact."""
        strategy, share = search.request.strategy, 1.0
        if strategy == "auto":
            strategy, share = self.choose_strategy(search, run)
        if strategy == "exact" and (search.per_document is not None or self.is_first()):
            return None
        if self.hidden_generations(run) is None:
            return None
        if strategy == "exact":
            return partial(listed_statement, search)
        if strategy == "two-stage":
            return partial(two_stage_statement, search)
        probes = search.request.probes or math.ceil(PROBES / max(share, 1 / WIDER))
        return partial(cells_statement, search, self.cells(run, len(search.query.codes)), probes)

    def is_first(self) -> bool:
        """Whether no search at this epoch has been exact yet; to list what is hidden takes as long as such a search."""
        first, self._was_exact = not self._was_exact, True
        return first and self._hidden is None

    def choose_strategy(self, search: VectorSearch, run: Runner) -> tuple[str, float]:
        """Exact where few chunks are left to search, else cells where there are some; and the share that is left."""
        table = self.table(run)
        rows = matches = table["row_count"]
        if rows > EXACT_UP_TO and search.condition is not None:
            matches = run("matches", Statement("count_matches", {}, search.condition))[0]["match_count"]
        if matches <= EXACT_UP_TO:
            return "exact", 1.0
        has_cells = table["last_cell"] and table["assigned"] >= LEAST_ASSIGNED * rows
        return ("cells" if has_cells else "two-stage"), matches / rows

    def table(self, run: Runner) -> Row:
        """How many rows the table holds, and how many of them lie in the newest cells."""
        table = self._table
        if table is None:
            (table,) = run("table", Statement("cell_range"))
            self._table = table
        return table

    def has_cells(self) -> bool:
        """Whether there are cells that can be read."""
        return bool(self.table(Runner(self.client, lambda step: None))["last_cell"])

    def cells(self, run: Runner, dimensions: int) -> Cells:
        """The newest cells, read again only when there are newer ones; StoreError where there are none yet."""
        newest = self.table(run)["last_cell"]
        if self.newest_cells is None or self.newest_cells.last_cell != newest:
            length = cells_row(dimensions).itemsize
            self.newest_cells = read_cells(run.packed("cells", Statement("cells"), length)) if newest else None
        if self.newest_cells is None:
            raise StoreError(
                f"the store {self.client.location} has no cells: ingest makes them from {CELLS_FROM} chunks on, "
                "search with `--strategy two-stage`"
            )
        return self.newest_cells

    def hidden_generations(self, run: Runner) -> list[int] | None:
        """Generations with rows that must not take a candidate's place; None where they are too many to be named.

        Listed once an epoch. Generations begun at this epoch or later have higher numbers, by which two stages pass over
        them. A draft begun before the epoch whose rows came after the list is added to it when it is met.
        """
        hidden = self._hidden
        if hidden is None:
            rows = run("hidden", Statement("hidden_generations", {"epoch": self.epoch, "limit": MAX_HIDDEN + 1}))
            hidden = self._hidden = [row["generation"] for row in rows]
        return hidden if len(hidden) <= MAX_HIDDEN else None

    def known_hidden(self) -> list[int] | None:
        """The same where it has been listed already, else None."""
        hidden = self._hidden
        return hidden if hidden is not None and len(hidden) <= MAX_HIDDEN else None

    def published(self, rows: list[Row], run: Runner) -> list[Row]:
        """Those rows whose generation was published by the epoch; drafts begun before it are hidden from now on.

        Only what came since the last look is read. What is then still unknown is asked for by its number: there may be
        more publications than are remembered, or one that arrived late.
        """
        generations = np.array([row["generation"] for row in rows], dtype=np.uint64)
        return [
            row for row, is_shown in zip(rows, self.were_published(generations, run).tolist(), strict=True) if is_shown
        ]

    def were_published(self, generations: NDArray[np.uint64], run: Runner) -> NDArray[np.bool_]:
        """Which of some generations (n,) were published by the epoch, bool (n,), as `published` finds out."""
        epoch, known = self.epoch, self.publications
        unknown = unknown_among(generations, known, epoch)
        if unknown and epoch > known.known_until and not known.full:
            values = {"after": known.known_until, "epoch": epoch, "limit": MOST_PUBLICATIONS}
            known = known.extended(run.packed("published", Statement("publications", values), 16), epoch)
            self.publications = known
            unknown = unknown_among(generations, known, epoch)
        asked: dict[str, Any] = {"generations": unknown, "epoch": epoch}
        found = run("published", Statement("published_among", asked)) if unknown else []
        late = {row["generation"] for row in found}
        drafts, listed = set(unknown) - late, self._hidden
        if drafts and listed is not None:
            self._hidden = sorted(drafts.union(listed))
        return known.visible(generations, epoch) | np.isin(generations, np.array(sorted(late), dtype=np.uint64))

    def shown(self, generations: NDArray[np.uint64], run: Runner) -> NDArray[np.bool_]:
        """Which of some generations (n,) readers see at the epoch, bool (n,), where those that they do not see are listed."""
        hidden = np.array(self.known_hidden() or [], dtype=np.uint64)
        return self.were_published(generations, run) & ~np.isin(generations, hidden)

    def cells_of(self, places: Sequence[tuple[int, int]], run: Runner) -> list[int] | None:
        """The cells in which the chunks at some places lie, generation and index; None where that is not to be known.

        To read where all of them lie takes as long as to look up some without it, so the first who asks does without.
        """
        known = self.whereabouts
        if known is None:
            self.whereabouts = Whereabouts.nowhere()
            return None
        table = self.table(run)
        if not table["last_cell"] or table["row_count"] > MOST_KNOWN:
            return None
        cells, missing = known.find(places)
        if missing is not None:
            statement = Statement("cells_of_chunks", {"first": missing if len(known.keys) else 0})
            known = known.read_from(missing, run.packed("cells", statement, CELL_ROW.itemsize))
            self.whereabouts = known
            cells, missing = known.find(places)
        return cells if missing is None else None


def unknown_among(generations: NDArray[np.uint64], known: Publications, epoch: int) -> list[int]:
    """The generations that may have been published by an epoch although nobody here knows it: those begun before it."""
    begun_before = generations < np.uint64(first_generation(epoch))
    return sorted(set(generations[begun_before & ~known.visible(generations, epoch)].tolist()))


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs statements and tells a listener about each."""

    client: Client
    watch: Callable[[Step], None]

    def __call__(self, stage: str, statement: Statement) -> list[Row]:
        return self._timed(stage, statement, self.client.query)

    def packed(self, stage: str, statement: Statement, row_length: int) -> bytes:
        """The rows of a statement that returns numbers, each of so many bytes, packed as RowBinary."""
        return self._timed(stage, statement, self.client.query_packed, row_length)

    def _timed(self, stage: str, statement: Statement, read: Callable[[Statement], Rows], row_length: int = 1) -> Rows:
        started = perf_counter()
        rows = read(statement)
        self.watch(Step(stage, statement, perf_counter() - started, len(rows) // row_length))
        return rows


def candidates(search: VectorSearch, wider: int) -> int:
    """How many chunks to keep for the second look: of those with the nearest signs, or before one is too many of its
    document."""
    chosen = search.request.candidates or max(CANDIDATES, CANDIDATES_PER_RESULT * search.k)
    return min(wider * chosen, NO_LIMIT)


def exact_statement(search: VectorSearch) -> Statement:
    """Scores every visible chunk that passes the filter."""
    values = query_values(search)
    if search.per_document is None:
        if search.places_only:
            return Statement("rank_exact", values, search.condition)
        return Statement("search_exact", values, search.condition)
    values["per_document"] = search.per_document
    return Statement("search_exact_per_document", values, search.condition)


def listed_statement(search: VectorSearch, hidden: list[int], wider: int, more: int) -> Statement:
    """Scores every chunk that passes the filter and is not hidden; there are no candidates that could be more."""
    del wider
    values = quick_values(search, more, hidden)
    if search.places_only:
        return Statement("rank_exact_listed", values, search.condition)
    return Statement("search_exact_listed", values, search.condition)


def cells_statement(
    search: VectorSearch, cells: Cells, probes: int, hidden: list[int], wider: int, more: int
) -> Statement:
    """Scores the chunks of the cells nearest to the query."""
    values = quick_values(search, more, hidden) | {
        "cells": cells.to_read(search.query.codes, wider * probes),
        "first_cell": cells.first_cell,
        "last_cell": cells.last_cell,
    }
    if search.per_document is None:
        if search.places_only:
            return Statement("rank_cells", values, search.condition)
        return Statement("search_cells", values, search.condition)
    values |= {
        "candidates": candidates(search, wider),
        "begun_later": first_generation(search.epoch),
        "per_document": search.per_document,
    }
    return Statement("search_cells_per_document", values, search.condition)


def settled_statement(statement: Statement) -> Statement:
    """The short form of a search, which returns one row more."""
    left_out = {"dead", "first_cell", "last_cell"}
    values: dict[str, Any] = {name: value for name, value in statement.values.items() if name not in left_out}
    values["k"] += 1
    if statement.name == "rank_cells":
        return Statement("rank_settled_cells", values, statement.condition)
    if statement.name == "search_cells":
        return Statement("search_settled_cells", values, statement.condition)
    if statement.name == "rank_exact_listed":
        return Statement("rank_settled", values, statement.condition)
    return Statement("search_settled", values, statement.condition)


def order_of_hits(row: Row) -> tuple[float, int, int, int]:
    """What the engine orders hits by; it compares UUIDs by their lower half first."""
    upper, lower = divmod(row["document_id"].int, 1 << 64)
    return -row["score"], lower, upper, row["chunk_index"]


def two_stage_statement(search: VectorSearch, hidden: list[int], wider: int, more: int) -> Statement:
    """Compares all signs and scores the candidates."""
    signs = query_signs(search.query)
    values = quick_values(search, more, hidden) | {
        "query_signs": signs.hex(),
        "sign_bytes": len(signs),
        "candidates": candidates(search, wider),
        "begun_later": first_generation(search.epoch),
    }
    if search.places_only and search.per_document is None:
        return Statement("rank_two_stage", values, search.condition)
    values["per_document"] = search.per_document or NO_LIMIT
    return Statement("search_two_stage", values, search.condition)


def documents_statement(search: VectorSearch) -> Statement:
    """The k nearest documents, each by its best chunk."""
    return Statement("search_documents", query_values(search), search.condition)


def query_values(search: VectorSearch) -> dict[str, Any]:
    """The values every statement binds that decides itself what is published."""
    return code_values(search.query, search.calibration) | {"epoch": search.epoch, "k": search.k}


def quick_values(search: VectorSearch, more: int, hidden: list[int]) -> dict[str, Any]:
    """The values of a statement that is only told what is hidden; the rest is looked up afterwards."""
    return code_values(search.query, search.calibration) | {"k": min(more * search.k, NO_LIMIT), "dead": hidden}


def code_values(query: QuantizedQuery, calibration: Calibration | None) -> dict[str, Any]:
    """A query as statements compare it with codes: shared ranges per dimension are folded into it."""
    folded, offset = fold_query(query, calibration)
    return {
        "query": folded.codes.tolist(),
        "query_sum": int(folded.codes.sum(dtype="int64")),
        "query_offset": offset,
        "query_scale": float(folded.scale),
    }
