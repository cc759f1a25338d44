"""A logged query in; the same question asked again, at the moment of then or of today, and what has changed, out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rag.answer.logged import ASKED_WITH, NOTHING
from sql.base.errors import UsageError
from sql.engine.statements import Statement
from sql.records.queries import ASK
from sql.search.request import SearchRequest
from sql.store.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rag.library import Library
    from sql.engine.client import Row
    from sql.records.queries import LoggedQuery

Place = tuple[str, int, int]  # source, first and last character


@dataclass(frozen=True, slots=True)
class Replay:
    """What a question found and answered then, and now; places are in the order of the hits."""

    logged: Row
    epoch: int
    then: tuple[Place, ...]
    now: tuple[Place, ...]
    answer_now: str
    answered_now: bool

    @property
    def kept(self) -> list[tuple[Place, int, int]]:
        """Hits of both, with their ranks then and now, from 1."""
        ranks = {place: rank for rank, place in enumerate(self.then, start=1)}
        return [(place, ranks[place], rank) for rank, place in enumerate(self.now, start=1) if place in ranks]

    @property
    def gone(self) -> list[tuple[Place, int]]:
        """Hits of then alone, with their ranks."""
        return [(place, rank) for rank, place in enumerate(self.then, start=1) if place not in self.now]

    @property
    def new(self) -> list[tuple[Place, int]]:
        """Hits of now alone, with their ranks."""
        return [(place, rank) for rank, place in enumerate(self.now, start=1) if place not in self.then]

    @property
    def same_hits(self) -> bool:
        """Whether the same chunks stand in the same order."""
        return self.then == self.now

    @property
    def same_answer(self) -> bool:
        """Whether the answer reads the same."""
        return (self.logged["answer"], bool(self.logged["answered"])) == (self.answer_now, self.answered_now)

    def record(self) -> dict[str, Any]:
        """The replay as JSON."""
        return {
            "query_id": str(self.logged["query_id"]),
            "question": self.logged["question"],
            "epoch_then": self.logged["epoch"],
            "epoch_now": self.epoch,
            "same_hits": self.same_hits,
            "same_answer": self.same_answer,
            "hits": [
                *({**place_record(place), "rank_then": then, "rank_now": now} for place, then, now in self.kept),
                *({**place_record(place), "rank_then": None, "rank_now": rank} for place, rank in self.new),
                *({**place_record(place), "rank_then": rank, "rank_now": None} for place, rank in self.gone),
            ],
            "answer_then": self.logged["answer"],
            "answer_now": self.answer_now,
        }


def place_record(place: Place) -> dict[str, Any]:
    """A place as JSON."""
    source, start, end = place
    return {"source": source, "start": start, "end": end}


def replay_query(
    library: Library, beginning: str, *, today: bool = False, announce: Callable[[str], None] = lambda sentence: None
) -> Replay:
    """Asks the logged query whose id begins like that again, with what it was asked with; nothing of it is logged.

    It is asked at the epoch of then where all that could be seen at it is still kept, else, or for `today`, at the newest;
    `announce` hears of that. Raises NoSuchQuery for an id that is none, UsageError for a query that had a reranker.
    """
    log = QueryLog(library.store)
    logged = log.find(beginning)
    asked = json.loads(logged["request"])
    if "reranker" in asked:
        raise UsageError(
            f"the query {logged['query_id']} was ranked by {asked['reranker']}, which is not available: ask it again yourself"
        )
    epoch = library.store.epoch()
    if not today:
        if is_kept(library, logged["epoch"]):
            epoch = logged["epoch"]
        else:
            announce(
                f"what could be seen at epoch {logged['epoch']} is no longer kept whole: asked at today's, {epoch}"
            )
    options = {name: asked[name] for name in ASKED_WITH if name in asked}
    request = SearchRequest(logged["question"], epoch=epoch, **options)
    then = log.hits(logged["query_id"])
    if "llm" in asked:
        announce(
            f"{asked['llm']} wrote the answer then; now it is made of quotations, so only the hits can be compared"
        )
    now = asked_again(library, logged["kind"], request, asked)
    return Replay(
        logged,
        epoch,
        tuple(zip(then["hit_sources"], then["hit_starts"], then["hit_ends"], strict=True)),
        tuple((hit.source, hit.start, hit.end) for hit in now.hits),
        now.answer,
        now.answered,
    )


@dataclass
class HeldBack:
    """A log that keeps what it is told to itself."""

    queries: list[LoggedQuery] = field(default_factory=list)

    def write(self, query: LoggedQuery) -> bool:
        """Keeps a query here; nobody can find it elsewhere."""
        self.queries.append(query)
        return False

    def close(self) -> None:
        """Nothing was opened."""


def asked_again(library: Library, kind: str, request: SearchRequest, asked: Mapping[str, Any]) -> LoggedQuery:
    """What would be logged of the question today; it is not."""
    held = HeldBack()
    quiet, rerank = replace(library, log=held), asked.get("rerank", NOTHING)
    if kind == ASK:
        reader = asked.get("reader", NOTHING)
        quiet.ask(request, llm=NOTHING, min_confidence=asked.get("min_confidence"), rerank=rerank, reader=reader)
    else:
        quiet.search(request, rerank=rerank)
    return held.queries[0]


def is_kept(library: Library, epoch: int) -> bool:
    """Whether every chunk that could be seen at an epoch is still there."""
    (row,) = library.store.client.query(Statement("forgotten_generations", {"epoch": epoch}))
    return epoch <= library.store.epoch() and not row["forgotten"]
