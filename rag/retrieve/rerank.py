"""A question and the chunks found for it in, the same chunks in the order of a cross-encoder out.

A search compares a question with each chunk by numbers that were made without knowing of each other. A cross-encoder reads
the two together, which tells more and costs far more: only the best candidates of a search are worth it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.index.surroundings import headings_above, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.encoder.pairs import PairModel
    from sql.records import Hit
    from sql.search.request import Reranker

FEWEST_CANDIDATES, CANDIDATES_EACH = 30, 3  # of a search whose hits a cross-encoder orders, and for each hit wanted
MOST_CANDIDATES = 100


@dataclass(frozen=True)
class CrossEncoder:
    """A cross-encoder as a reranker of chunks: it reads the headings above a chunk and its text. Safe to use from any thread."""

    model: PairModel

    @property
    def name(self) -> str:
        """What the model goes by."""
        return self.model.name

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """The score of each text; a higher one fits the question better."""
        return [float(score) for score in self.model.scores(question, texts)]

    def candidates(self, k: int) -> int:
        """How many chunks are read for k that are wanted.

        >>> [CrossEncoder.candidates(None, k) for k in (1, 5, 20, 50, 200)]
        [30, 30, 60, 100, 200]
        """
        return max(k, min(max(FEWEST_CANDIDATES, CANDIDATES_EACH * k), MOST_CANDIDATES))


def reranked(rerank: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the order of a reranker, with its scores; of equal ones as they were found."""
    if isinstance(rerank, CrossEncoder):
        texts = [joined(headings_above(hit, hit), "", hit.text) for hit in hits]
    else:
        texts = [hit.text for hit in hits]
    scores = [float(score) for score in rerank.scores(question, texts)]
    rated = [
        replace(hit, score=score, rerank_score=score, search_score=hit.score)
        for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(rated, key=lambda hit: -hit.score)
