"""How one answer is to be made, checked where that is said."""

from __future__ import annotations

from dataclasses import dataclass

from sql.base.errors import UsageError


@dataclass(frozen=True, slots=True)
class Choices:
    """How one answer is made: what is withheld, and the names of a cross-encoder and of a reader; UsageError for no
    probability."""

    min_confidence: float | None
    rerank: str | None
    reader: str | None

    def __post_init__(self) -> None:
        check_confidence(self.min_confidence)


def check_confidence(least: float | None) -> None:
    """Raises UsageError for a least confidence that is no probability; None is the default one."""
    if least is not None and not 0 <= least <= 1:
        raise UsageError(f"--min-confidence {least}: it is a probability, so give a number from 0 to 1")
