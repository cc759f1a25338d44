"""What is asked for: one record that goes as it is from whoever asks down to the statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sql.base.errors import UsageError
from sql.base.settings import DEFAULT_K, LANGUAGES, RANKINGS, STRATEGIES
from sql.search.filters import compile_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sql.engine.statements import Condition
    from sql.search.filters import Filter


class Reranker(Protocol):
    """Anything that can judge chunks better than a search, one by one; rag/retrieve/rerank.py has one."""

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """One score a text; a higher one fits the question better."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchRequest:
    """One search: what is asked, and how it is to be answered.

        SearchRequest("How are chunks published?", k=3, filter={"source": {"$like": "docs/*"}}, ranking="words")

    `question` is in plain words and `language` theirs: a code such as `en`, `none`, or `auto` to find out. `vector` is the
    question's, float32 (dimensions,), where it has been computed already. The best `k` chunks are wanted, at most
    `per_document` of one document, of those that pass the `filter` (sql/search/filters.py).

    `ranking` says what is compared: meanings (vector), words, or both (hybrid). `strategy` says how vectors are searched:
    exact, two-stage, which rescores `candidates`, cells, which reads about `probes`, or auto, which chooses. `epoch` is the
    moment to search at, by default the latest. `reranker` gives the best chunks their final order.

    Raises UsageError for a value that is not among these, InvalidFilter for a filter that means nothing.
    """

    question: str = ""
    k: int = DEFAULT_K
    vector: NDArray[np.float32] | None = None
    filter: Filter | None = None
    ranking: str = RANKINGS[0]
    strategy: str = STRATEGIES[0]
    candidates: int | None = None
    probes: int | None = None
    per_document: int | None = None
    epoch: int | None = None
    language: str = LANGUAGES[0]
    reranker: Reranker | None = None
    condition: Condition | None = field(init=False, default=None)  # the filter as the statements hold it

    def __post_init__(self) -> None:
        for name, value, known in (
            ("ranking", self.ranking, RANKINGS),
            ("search strategy", self.strategy, STRATEGIES),
            ("language", self.language, LANGUAGES),
        ):
            if value not in known:
                raise UsageError(f"the {name} {value!r:.80} is not known: choose one of {', '.join(known)}")
        if self.k < 1:
            raise UsageError(f"k is {self.k}: it must be at least 1")
        if self.per_document is not None and self.per_document < 1:
            raise UsageError(f"{self.per_document} chunks of one document: it must be at least 1")
        if self.candidates is not None and self.candidates < 1:
            raise UsageError(f"{self.candidates} candidates: at least 1 is needed")
        if self.probes is not None and self.probes < 1:
            raise UsageError(f"{self.probes} probes: search at least 1 cell")
        object.__setattr__(self, "condition", compile_filter(self.filter) if self.filter else None)
