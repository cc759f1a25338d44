"""A question and the chunks found for it in, the sentences that answer it out, quoted exactly; or nothing.

No language model: each sentence of the found chunks is scored by its meaning (the int8 encoder's cosine to the
question), by the words it shares with the question, weighted by their rarity, and by how well its chunk was found.
A question that no sentence comes close to gets no answer rather than a guess.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rag.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.encoder import Encoder
    from sql.records import Hit

MAX_SENTENCES = 3
# Weights and threshold were chosen on questions with known answers and on questions that the documents cannot answer
# (benchmarks/answers.py; the figures are in docs/answers.md).
WEIGHT_MEANING = 0.4
WEIGHT_WORDS = 0.3
WEIGHT_CHUNK = 0.3
ANSWER_THRESHOLD = 0.36
# A further sentence must come this close to the best one.
FURTHER_SENTENCES = 0.85
SHORTEST_SENTENCE = 3  # words; below it a line is a heading, a cell or a fragment
MARKUP_ONLY = re.compile(r"^\s*(#{1,6}\s|```|~~~|[|\s:*_=-]+$|<[^>]*>$)")
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence of the answer and its place: the file's text[start:end] is `text`; a page of 0 means it has none."""

    source: str
    start: int
    end: int
    line: int
    page: int
    heading: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: the sentences in order of merit, or none."""

    question: str
    citations: tuple[Citation, ...]

    @property
    def answered(self) -> bool:
        """Whether anything fits the question."""
        return bool(self.citations)

    @property
    def text(self) -> str:
        """The sentences with their numbers: `The first one. [1] The second one. [2]`; empty where nothing fits."""
        return " ".join(
            f"{' '.join(citation.text.split())} [{number}]" for number, citation in enumerate(self.citations, start=1)
        )


def answer_question(question: str, query: NDArray[np.float32], hits: Sequence[Hit], encoder: Encoder) -> Answer:
    """The answer that the found chunks hold, or an answer without citations.

    `query` is the question's vector, float32 (dimensions,), as `encoder.encode_query` makes it.
    """
    ranked = rank_sentences(question, query, hits, encoder)
    if not ranked or ranked[0].score < ANSWER_THRESHOLD:
        return Answer(question, ())
    least = FURTHER_SENTENCES * ranked[0].score
    return Answer(question, tuple(citation for citation in ranked[:MAX_SENTENCES] if citation.score >= least))


def rank_sentences(question: str, query: NDArray[np.float32], hits: Sequence[Hit], encoder: Encoder) -> list[Citation]:
    """Every sentence of the chunks with its final score, best first; of equal ones the one found earlier."""
    candidates = candidate_sentences(question, hits)
    if not candidates:
        return []
    vectors = encoder.encode_documents([fitting(candidate.text, encoder) for candidate in candidates])
    scores = combined_scores(question, query, vectors, candidates)
    ranked = [replace(candidate, score=float(score)) for candidate, score in zip(candidates, scores, strict=True)]
    return sorted(ranked, key=lambda citation: -citation.score)


def candidate_sentences(question: str, hits: Sequence[Hit]) -> list[Citation]:
    """Every sentence of the chunks that could answer the question, once, with the score of its best chunk."""
    found: dict[tuple[str, int, int], Citation] = {}
    for hit in hits:
        for start, end in split_sentences(hit.text):
            text = hit.text[start:end]
            place = (hit.source, hit.start + start, hit.start + end)
            if place in found or not says_something(text) or asks(text, question):
                continue
            line = hit.line + count_lines(hit.text[:start])
            found[place] = Citation(*place, line, hit.page, hit.heading, text, closeness(hit))
    return list(found.values())


def closeness(hit: Hit) -> float:
    """How close a chunk comes to the question: its cosine, whatever the search has ordered it by."""
    return hit.score if hit.vector_score is None else hit.vector_score


def says_something(text: str) -> bool:
    """Whether a line is more than a heading, a rule, a cell or a fragment."""
    return len(WORD.findall(text)) >= SHORTEST_SENTENCE and not MARKUP_ONLY.match(text)


def asks(text: str, question: str) -> bool:
    """Whether a sentence is a question itself, or holds the very one that was asked: nearest of all, and no answer."""
    repeated = " ".join(WORD.findall(question.casefold()))
    return text.rstrip("\"'*_`)]» ").endswith("?") or (
        bool(repeated) and repeated in " ".join(WORD.findall(text.casefold()))
    )


def count_lines(text: str) -> int:
    """How many line ends a text holds."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def fitting(text: str, encoder: Encoder) -> str:
    """The beginning of a sentence that the encoder can read; only its score depends on it, never the quotation."""
    spans, room = encoder.tokenizer.spans(text), encoder.max_document_tokens
    return text if len(spans) <= room else text[: spans[room - 1][1]]


def combined_scores(
    question: str, query: NDArray[np.float32], vectors: NDArray[np.float32], candidates: Sequence[Citation]
) -> NDArray[np.float64]:
    """The merit of each sentence; float64 (sentences,)."""
    meaning = vectors.astype(np.float64) @ query.astype(np.float64)
    chunk = np.array([candidate.score for candidate in candidates])
    words = shared_words(question, [candidate.text for candidate in candidates])
    return WEIGHT_MEANING * meaning + WEIGHT_WORDS * words + WEIGHT_CHUNK * chunk


def shared_words(question: str, sentences: Sequence[str]) -> NDArray[np.float64]:
    """The part of the question's words that each sentence holds, 0 to 1, a rare word counting more than a common one.

    Rarity is inverse document frequency over the sentences themselves (Sparck Jones 1972), so no list of stop words is
    needed in any language: what nearly every sentence holds says little.
    """
    bags = [stems(sentence) for sentence in sentences]
    frequency = Counter(stem for bag in bags for stem in bag)
    wanted = {stem: math.log(1 + len(bags) / (1 + frequency[stem])) for stem in stems(question)}
    total = sum(wanted.values())
    if not total:
        return np.zeros(len(bags))
    return np.array([sum(weight for stem, weight in wanted.items() if stem in bag) / total for bag in bags])


def stems(text: str) -> set[str]:
    """The words of a text without their endings, crudely: six letters tell most words apart, and of those after the
    third, trailing e, n and s are dropped, which are the plurals and cases of English and German.
    """
    return {word[:3] + word[3:6].rstrip("ens") for word in WORD.findall(text.casefold())}
