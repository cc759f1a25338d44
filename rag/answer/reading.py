"""A question and the chunks found for it in, the sentences in which a reader has marked an answer out; or nothing.

A reader gives every token of a passage two numbers: how likely an answer starts there, and ends there. Their sum over a
span, less the sum at the first token, which stands for "no answer" (Devlin et al. 2019, arXiv:1810.04805, section 4.3),
says how much more likely the span answers than nothing does. Spans lie within what can be quoted, so that each is cited by
the sentence around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.answer import MAX_SENTENCES, Answer, apart, citation_of, without_rivals
from rag.answer.candidates import candidate_sentences
from rag.text.identifiers import identifiers
from sql.base.settings import READER_MIN_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.answer.answer import Citation
    from rag.answer.candidates import Candidate
    from rag.encoder.pairs import PairModel
    from rag.text.tokenizer import TokenPair
    from sql.records import Hit

LONGEST_SPAN = 30  # tokens of an answer, as in the evaluation of SQuAD
OVERLAP = 128  # tokens that two windows of a long passage share, as in BERT's own reading of SQuAD
FURTHER_PROBABILITY = 0.5  # of the best one's, that a further sentence must have


def read_answer(question: str, hits: Sequence[Hit], reader: PairModel, min_confidence: float | None = None) -> Answer:
    """The answer that a reader marks in the found chunks, or one without citations where its confidence, the score of the
    best span, is below `min_confidence`: by default, where the reader holds "no answer" for more probable.
    """
    ranked = rank_readings(question, hits, reader)
    confidence = ranked[0].score if ranked else 0.0
    least = READER_MIN_CONFIDENCE if min_confidence is None else min_confidence
    if not ranked or confidence < least:
        return Answer(question, (), confidence)
    least = max(least, FURTHER_PROBABILITY * confidence)
    return Answer(question, tuple(apart([one for one in ranked if one.score >= least])[:MAX_SENTENCES]), confidence)


def rank_readings(question: str, hits: Sequence[Hit], reader: PairModel) -> list[Citation]:
    """Every sentence of the chunks that may answer, with its best span, best first; of equal ones the one found earlier.

    The score is the probability of the span against no answer: 1 / (1 + e^-margin).
    """
    candidates = without_rivals(candidate_sentences(hits), identifiers(question))
    if not candidates:
        return []
    of_hits: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        of_hits.setdefault(id(candidate.hit), []).append(candidate)
    read = [same[0].hit for same in of_hits.values()]
    found: dict[int, Citation] = {}
    for hit, passage in zip(read, read_passages(question, [hit.text for hit in read], reader), strict=True):
        for candidate in of_hits[id(hit)]:
            quotation = candidate.quotation
            span = passage.best_span(quotation.start - hit.start, quotation.end - hit.start)
            if span is not None:
                place = span.start + hit.start, span.end + hit.start
                found[id(candidate)] = replace(citation_of(candidate, span.probability), answer_span=place)
    in_order = [found[id(candidate)] for candidate in candidates if id(candidate) in found]
    return sorted(in_order, key=lambda citation: -citation.score)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a passage, in code points, and by how much it is more likely the answer than that there is none."""

    start: int
    end: int
    margin: float

    @property
    def probability(self) -> float:
        """Of the span against no answer, 0 to 1: 1 / (1 + e^-margin)."""
        return float(0.5 * (1 + np.tanh(self.margin / 2)))


@dataclass(frozen=True, slots=True)
class ReadPassage:
    """The windows of a passage with a reader's numbers for each token, float32 (tokens, 2) a window."""

    windows: Sequence[TokenPair]
    logits: Sequence[NDArray[np.float32]]

    def best_span(self, begin: int, end: int) -> Span | None:
        """The best span between two places of the passage, over all windows; None where no token lies there."""
        best: Span | None = None
        for window, numbers in zip(self.windows, self.logits, strict=True):
            starts, ends = window.spans.T
            inside = np.flatnonzero((starts >= begin) & (ends <= end) & (ends > starts))
            if not len(inside):
                continue
            first, last = int(inside[0]), int(inside[-1]) + 1
            passage = numbers[window.first + first : window.first + last].astype(np.float64)
            one, other, total = best_sum(passage[:, 0], passage[:, 1])
            margin = total - float(numbers[0].astype(np.float64).sum())
            if best is None or margin > best.margin:
                best = Span(int(starts[first + one]), int(ends[first + other]), margin)
        return best


def read_passages(question: str, passages: Sequence[str], reader: PairModel) -> list[ReadPassage]:
    """What a reader finds in each passage; a long one is read in windows that overlap."""
    windows = reader.encoder.tokenizer.pairs(question, passages, OVERLAP)
    outputs = iter(reader.outputs([window for same in windows for window in same]))
    return [ReadPassage(same, [next(outputs) for _ in same]) for same in windows]


def best_sum(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> tuple[int, int, float]:
    """The first and last token of the best span of at most LONGEST_SPAN tokens, and the sum of its two numbers.

    >>> best_sum(np.array([0.0, 3.0, 1.0]), np.array([5.0, 0.0, 2.0]))
    (0, 0, 5.0)
    >>> best_sum(np.array([0.0, 3.0, 1.0]), np.array([1.0, 0.0, 2.5]))
    (1, 2, 5.5)
    """
    padded = np.append(ends, np.full(LONGEST_SPAN - 1, -np.inf))
    sums = starts[:, None] + np.lib.stride_tricks.sliding_window_view(padded, LONGEST_SPAN)
    start, length = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(start), int(start + length), float(sums[start, length])
