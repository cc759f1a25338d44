"""A question, how it was asked and what came of it in; what the query log keeps of that out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sql.base import tracing
from sql.records.queries import ASK, SEARCH, LoggedCitation, LoggedQuery, LoggedStep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from sql.records import Hit
    from sql.search.request import SearchRequest
    from sql.search.search import Step

ENGINE = "clickhouse"  # as OpenTelemetry calls it
HITS = "hits"  # the stage that reads the texts of what was ranked
NOTHING = "none"  # the name of a model that is not to be used
ASKED_WITH = ("k", "ranking", "strategy", "candidates", "probes", "per_document", "filter", "language")


@dataclass
class Timekeeper:
    """The clock of one question: it hears of every statement, and of what else takes time, and passes statements on."""

    watch: Callable[[Step], None]
    begun: float = field(default_factory=perf_counter)
    steps: list[LoggedStep] = field(default_factory=list)
    last: float = field(default_factory=perf_counter)

    def heard(self, step: Step) -> None:
        """A statement that was run."""
        self.steps.append(LoggedStep(step.stage, step.statement.name, 1000 * step.seconds, step.rows))
        before, self.last = self.last, perf_counter()
        if step.stage == HITS:  # what is ranked is known when its texts are asked for
            tracing.past("rag.rank", max(0.0, self.last - before - step.seconds), ago=step.seconds)
        said: dict[str, Any] = {
            "db__system__name": ENGINE,
            "db__query__summary": step.statement.name,
            "rag_rows": step.rows,
        }
        tracing.past(f"rag.{step.stage}", step.seconds, **said)
        self.watch(step)

    def done(self, stage: str) -> None:
        """Something that needed no statement, since the last thing that was heard of."""
        now = perf_counter()
        self.steps.append(LoggedStep(stage, "", 1000 * (now - self.last), 0))
        tracing.past(f"rag.{stage}", now - self.last)
        self.last = now

    @property
    def milliseconds(self) -> float:
        """Since the question came."""
        return 1000 * (perf_counter() - self.begun)


def asked_with(request: SearchRequest, **more: Any) -> dict[str, Any]:
    """How a request was made, as JSON can hold it; what it does not say is left out."""
    said = {name: getattr(request, name) for name in ASKED_WITH} | more
    if request.reranker is not None:  # of the caller's own, which has no name that could be given again
        said["reranker"] = type(request.reranker).__name__
    return {name: value for name, value in said.items() if value not in (None, NOTHING)}


def logged_search(
    request: SearchRequest, epoch: int, hits: Sequence[Hit], clock: Timekeeper, **more: Any
) -> LoggedQuery:
    """What is kept of a search."""
    return LoggedQuery(
        kind=SEARCH,
        question=request.question,
        request=asked_with(request, **more),
        epoch=epoch,
        hits=tuple(hits),
        answered=bool(hits),
        milliseconds=clock.milliseconds,
        steps=tuple(clock.steps),
    )


def logged_answer(
    request: SearchRequest,
    epoch: int,
    hits: Sequence[Hit],
    answer: Answer | GeneratedAnswer,
    clock: Timekeeper,
    **more: Any,
) -> LoggedQuery:
    """What is kept of a question that was answered, or not."""
    return replace(
        logged_search(request, epoch, hits, clock, **more),
        kind=ASK,
        answered=answer.answered,
        answer=answer.text,
        confidence=answer.confidence,
        citations=tuple(
            LoggedCitation(one.source, one.start, one.end, one.score, one.text) for one in answer.citations
        ),
    )
