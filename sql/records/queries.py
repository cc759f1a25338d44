"""Questions that were asked: what is kept of one, and how long."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sql.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sql.records.hits import Hit

ASK, SEARCH = "ask", "search"  # what was asked for
KEEP = re.compile(r"(\d{1,9})(d|h)?|all")
HOURS = {"d": 24, "h": 1}
ALL = "all"


@dataclass(frozen=True, slots=True)
class LoggedCitation:
    """A sentence that was quoted, with its place."""

    source: str
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """A part of the work: a statement, or something that needs none, whose name is then empty."""

    stage: str
    statement: str
    milliseconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """One question with what came of it. `request` is how it was asked, as JSON can hold it."""

    kind: str
    question: str
    request: Mapping[str, Any]
    epoch: int
    hits: tuple[Hit, ...]
    answered: bool
    milliseconds: float
    answer: str = ""
    confidence: float | None = None
    citations: tuple[LoggedCitation, ...] = ()
    steps: tuple[LoggedStep, ...] = ()
    query_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        if self.kind not in {ASK, SEARCH}:
            raise ValueError(f"a query is logged as {ASK} or {SEARCH}, not {self.kind!r}")
        if not self.question:
            raise ValueError("a query without a question cannot be logged: nobody could ask it again")


@dataclass(frozen=True, slots=True)
class Retention:
    """How many queries are kept, or for how many hours; None of both keeps all."""

    newest: int | None = None
    hours: int | None = None

    def __post_init__(self) -> None:
        if self.newest is not None and self.hours is not None:
            raise ValueError("queries are kept by their number or by their age, not by both")

    @classmethod
    def from_text(cls, text: str) -> Retention:
        """`90d` or `12h` is an age, `1000` a number, `all` or nothing no limit; UsageError for anything else."""
        if not text or text == ALL:
            return cls()
        match = KEEP.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text!r:.40} does not say how long to keep queries: write 90d, 12h, 1000 (the newest) or {ALL}"
            )
        number = int(match[1])
        return cls(hours=number * HOURS[match[2]]) if match[2] else cls(newest=number)
