"""A question and the chunks found for it in, the sentences that answer it out, quoted exactly; or nothing.

No language model: each sentence of the found chunks is scored by its meaning (the int8 encoder's cosine to the
question), by the words it shares with the question, weighted by their rarity, by the exact names that both hold, and by
how well its chunk was found. A question that no sentence comes close to gets no answer rather than a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.quotation import quotations
from rag.retrieve.words import Rarities
from rag.text.analyser import analyse, normalized, plain_words, without_marks
from rag.text.identifiers import folded, identifiers
from sql.base.settings import DEFAULT_MIN_CONFIDENCE
from sql.records.places import Page, page_label, place_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.answer.quotation import Context, Quotation
    from rag.encoder.encoder import Encoder
    from rag.text.identifiers import Identifier
    from sql.records import Hit
    from sql.records.places import Place
    from sql.store import Snapshot

MAX_SENTENCES = 3
# Weights and threshold were chosen on questions with known answers and on questions that the documents cannot answer
# (benchmarks/answers.py; the figures are in docs/answers.md).
WEIGHT_MEANING = 0.4
WEIGHT_WORDS = 0.3
WEIGHT_CHUNK = 0.3
WEIGHT_NAMES = 0.3  # only where the question holds exact names
# Probability of the best sentence by its score, a logistic regression on SQuAD 2's questions (half of its development
# set), of which more than half have no answer, and the same with the paragraph that answers taken away; 2026-11-29.
CONFIDENCE_SLOPE, CONFIDENCE_AT_ZERO = 6.827, -4.819
# A further sentence must come this close to the best one.
FURTHER_SENTENCES = 0.83
WEIGHT_IN_STORE = 0.5  # of a word's rarity among all chunks, next to that among the sentences
NAMED_CANDIDATES = 4  # times as many chunks are looked at for a question with exact names
SENTENCE_BEFORE = 0.5  # of a name in the sentence itself: what "it" may well refer to
WORD_IN_HEADING = 0.5  # of a word in the sentence itself: all sentences of a section have the same heading


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation of the answer and its place: the file's text[start:end] is `text`; a page of 0 means it has none.

    `context` is what it cannot be understood without, such as the header of its table. `lines` says that its line ends
    mean something, `is_cut` that more belongs to it than is quoted. `place_name` is what people call its place in the
    original, that of its chunk until `located` has read its `places`; `generation` is that of its document. `answer_span` is
    what a reader has marked in it, with offsets like its own.
    """

    source: str
    start: int
    end: int
    line: int
    page: int
    heading: str
    text: str
    score: float
    context: Context | None = None
    lines: bool = False
    is_cut: bool = False
    generation: int = 0
    place_name: str = ""
    places: tuple[Place, ...] = ()
    answer_span: tuple[int, int] | None = None

    @property
    def answer_text(self) -> str:
        """What a reader has marked, exactly as it stands in the file; empty without one."""
        start, end = self.answer_span or (self.start, self.start)
        return self.text[start - self.start : end - self.start]

    @property
    def page_label(self) -> str:
        """What the page on which it starts is called, "" where the format has none."""
        return page_label(self.places) or (str(self.page) if self.page else "")

    @property
    def shown(self) -> str:
        """The quotation as it is read: on one line, or, where it has brought along a list or code, on its own lines."""
        pieces = self.text.splitlines() if self.lines else [" ".join(self.text.split())]
        return "\n".join(piece.rstrip() for piece in pieces if piece.strip()) + (" …" if self.is_cut else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: the sentences in order of merit, or none.

    `confidence` is the probability that the best sentence answers the question, 0 to 1, also where that is withheld.
    `query_id` is that in the query log, "" outside of it.
    """

    question: str
    citations: tuple[Citation, ...]
    confidence: float = 0.0
    query_id: str = field(default="", kw_only=True)

    @property
    def answered(self) -> bool:
        """Whether anything fits the question."""
        return bool(self.citations)

    @property
    def text(self) -> str:
        """The sentences with their numbers: `The first one. [1] The second one. [2]`; empty where nothing fits."""
        parts = self.parts
        return ("\n" if any("\n" in part for part in parts) else " ").join(parts)

    @property
    def parts(self) -> list[str]:
        """Each quotation with its number, below its context where the one before does not have the same."""
        parts, above = [], None
        for number, citation in enumerate(self.citations, start=1):
            context = citation.context
            lead = f"{' '.join(context.text.split())}\n" if context and context != above else ""
            parts.append(f"{lead}{citation.shown} [{number}]")
            above = context
        return parts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A quotation that may answer, with what is known of it before it is compared with the question."""

    quotation: Quotation
    hit: Hit
    before: str  # the sentence before it, of the same chunk

    @property
    def judged(self) -> str:
        """What is compared with the question: a row means little without its header, an item without its list, and an
        answer without what was asked."""
        quotation = self.quotation
        context = quotation.context.text if quotation.context else ""
        return "\n".join(text for text in (quotation.question, context, quotation.text) if text)

    @property
    def section(self) -> str:
        """The heading of its section, whose words it need not repeat."""
        return self.quotation.heading.rsplit(" > ", 1)[-1]


def answer_question(
    question: str,
    query: NDArray[np.float32],
    hits: Sequence[Hit],
    encoder: Encoder,
    rarities: Rarities | None = None,
    min_confidence: float | None = None,
) -> Answer:
    """The answer that the found chunks hold, or one without citations where its confidence is below `min_confidence`, by
    default DEFAULT_MIN_CONFIDENCE.

    `query` is the question's vector, float32 (dimensions,), as `encoder.encode_query` makes it. `rarities` are those of
    the store (rag/retrieve/words.py); without them they are counted in the found chunks.
    """
    ranked = rank_sentences(question, query, hits, encoder, rarities)
    confidence = probability(ranked[0].score) if ranked else 0.0
    least = DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence
    if not ranked or confidence < least:
        return Answer(question, (), confidence)
    least = FURTHER_SENTENCES * ranked[0].score
    close = apart([citation for citation in ranked if citation.score >= least])[:MAX_SENTENCES]
    return Answer(question, tuple(apart([whole_list(citation, close, ranked) for citation in close])), confidence)


def probability(score: float) -> float:
    """The probability, 0 to 1, that a best sentence of this score answers the question."""
    return 1 / (1 + math.exp(-(CONFIDENCE_SLOPE * score + CONFIDENCE_AT_ZERO)))


def whole_list(citation: Citation, close: Sequence[Citation], ranked: Sequence[Citation]) -> Citation:
    """The introduction with all of its list, where several of its items would be quoted one by one, else the citation."""
    context = citation.context
    if context is None or sum(one.source == citation.source and one.context == context for one in close) < 2:
        return citation
    for one in ranked:
        holds = one.source == citation.source and one.start == context.start and citation.end <= one.end
        if holds and one.lines:
            return replace(one, score=citation.score)
    return citation


def apart(ranked: Sequence[Citation]) -> list[Citation]:
    """The citations without those that overlap a better one: an item of a list that is quoted whole says nothing new."""
    kept: list[Citation] = []
    for one in ranked:
        if not any(one.source == other.source and one.start < other.end and other.start < one.end for other in kept):
            kept.append(one)
    return kept


def rank_sentences(
    question: str, query: NDArray[np.float32], hits: Sequence[Hit], encoder: Encoder, rarities: Rarities | None = None
) -> list[Citation]:
    """Every sentence of the chunks that may answer with its final score, best first; of equal ones the one found earlier."""
    names = identifiers(question)
    candidates = without_rivals(candidate_sentences(hits), names)
    if not candidates:
        return []
    # Of a sentence that is too long its beginning is judged; only the score depends on it, never the quotation.
    vectors = encoder.encode_documents([encoder.fitting_document(candidate.judged) for candidate in candidates])
    scores = combined_scores(question, query, vectors, candidates, rarities)
    ranked = [citation_of(candidate, float(score)) for candidate, score in zip(candidates, scores, strict=True)]
    return sorted(ranked, key=lambda citation: -citation.score)


def candidate_sentences(hits: Sequence[Hit]) -> list[Candidate]:
    """Every sentence of the chunks that could answer a question, once, as it stands in its best chunk.

    Of two overlapping chunks the one in which it brings along more has it.
    """
    found: dict[tuple[str, int], Candidate] = {}
    for hit in hits:
        before = ""
        for quotation in quotations(hit):
            place = (hit.source, quotation.start)
            known = found.get(place)
            if known is None:
                found[place] = Candidate(quotation, hit, before)
            elif known.quotation.end < quotation.end:
                found[place] = replace(known, quotation=quotation)
            before = quotation.text
    return list(found.values())


def citation_of(candidate: Candidate, score: float) -> Citation:
    """A candidate with its place and score."""
    quotation, hit = candidate.quotation, candidate.hit
    return Citation(
        hit.source,
        quotation.start,
        quotation.end,
        hit.line + count_lines(hit.text[: quotation.start - hit.start]),
        hit.page,
        quotation.heading,
        quotation.text,
        score,
        quotation.context,
        quotation.lines,
        quotation.is_cut,
        hit.generation,
        hit.place_name,
    )


def located(snapshot: Snapshot, citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citations with the places of their text in the original; nothing is read where no document has any."""
    placed = [one for one in citations if one.place_name]
    if not placed:
        return tuple(citations)
    found = iter(snapshot.span_places([(one.generation, one.start, one.end) for one in placed]))
    return tuple(with_places(one, next(found)) if one.place_name else one for one in citations)


def with_places(citation: Citation, places: Sequence[Place]) -> Citation:
    """A citation whose page and place are those of its own text, not of the beginning of its chunk."""
    pages = [place.where.number for place in places if isinstance(place.where, Page)]
    name = place_name(places) or citation.place_name
    return replace(citation, page=pages[0] if pages else citation.page, place_name=name, places=tuple(places))


def closeness(hit: Hit) -> float:
    """How close a chunk comes to the question: its cosine, whatever the search has ordered it by."""
    return hit.score if hit.vector_score is None else hit.vector_score


def count_lines(text: str) -> int:
    """How many line ends a text holds."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


# Exact names


def with_names_first(hits: Sequence[Hit], names: Sequence[Identifier]) -> list[Hit]:
    """The chunks in the order of how many of the names they hold, in their text or headings; of equal ones as found."""
    held = [sum(name.is_in(folded(f"{hit.heading}\n{hit.text}")) for name in names) for hit in hits]
    order = sorted(range(len(hits)), key=lambda place: -held[place])
    return [hits[place] for place in order]


def without_rivals(candidates: Sequence[Candidate], names: Sequence[Identifier]) -> list[Candidate]:
    """The candidates that may speak of the names in the question.

    None, where a name of the question stands in no candidate at all, nor in the headings above: nothing is known of it.
    Otherwise all but those that speak of another name of the same shape.
    """
    if not names:
        return list(candidates)
    held = [[held_share(name, candidate) > 0 for name in names] for candidate in candidates]
    required = [column for column, name in enumerate(names) if not name.has_other_forms]
    if required and not any(row[column] for row in held for column in required):
        return []
    return [
        candidate
        for candidate, row in zip(candidates, held, strict=True)
        if any(row) or not speaks_of_rival(names, candidate.quotation)
    ]


def speaks_of_rival(names: Sequence[Identifier], quotation: Quotation) -> bool:
    """Whether a quotation holds a name of the same shape as one that was asked for."""
    others = identifiers(quotation.text)
    return any(name.has_rival_in(others, same_letters=not quotation.is_row) for name in names)


def held_share(name: Identifier, candidate: Candidate) -> float:
    """1 where a candidate or its heading or context holds a name, a part of it where the sentence before does."""
    if name.is_in(folded(f"{candidate.quotation.heading}\n{candidate.judged}")):
        return 1.0
    return SENTENCE_BEFORE if name.is_in(folded(candidate.before)) else 0.0


# Scores


def combined_scores(
    question: str,
    query: NDArray[np.float32],
    vectors: NDArray[np.float32],
    candidates: Sequence[Candidate],
    rarities: Rarities | None = None,
) -> NDArray[np.float64]:
    """The merit of each candidate; float64 (candidates,)."""
    meaning = vectors.astype(np.float64) @ query.astype(np.float64)
    chunk = np.array([closeness(candidate.hit) for candidate in candidates])
    sentences, headings = [one.judged for one in candidates], [one.section for one in candidates]
    words = shared_words(question, sentences, rarities, headings)
    scores = WEIGHT_MEANING * meaning + WEIGHT_WORDS * words + WEIGHT_CHUNK * chunk
    if names := identifiers(question):
        scores += WEIGHT_NAMES * np.array(
            [sum(held_share(name, candidate) for name in names) / len(names) for candidate in candidates]
        )
    return np.asarray(scores)


def shared_words(
    question: str, sentences: Sequence[str], rarities: Rarities | None = None, headings: Sequence[str] = ()
) -> NDArray[np.float64]:
    """The part of the question's words that each sentence holds, 0 to 1, a rare word counting more than a common one.

    A word that only the sentence's heading holds counts WORD_IN_HEADING; `headings` has one for each sentence, or none.

    Rarity is inverse document frequency (Sparck Jones 1972), in the whole store and among the sentences, added up: what
    nearly every sentence holds says little, and so does what the whole store speaks of. Stop words, which the store does
    not count, have the latter alone.
    """
    known = rarities or Rarities()
    bags = [keys(sentence, known.language) for sentence in sentences]
    of_section = {heading: keys(heading, known.language) for heading in headings}
    above = [of_section[heading] for heading in headings] or [set[str]()] * len(bags)
    weights: list[float] = []
    rows: list[NDArray[np.float64]] = []
    for word in dict.fromkeys(plain_words(question)):
        terms = analyse(word, known.language)  # none of a stop word
        wanted = keys(word, known.language)
        own, around = (np.array([not wanted.isdisjoint(bag) for bag in some], np.float64) for some in (bags, above))
        rows.append(np.maximum(own, WORD_IN_HEADING * around))
        in_store = known.rarity(terms[0]) if terms else 0.0
        held = np.count_nonzero(rows[-1])
        weights.append(WEIGHT_IN_STORE * in_store + math.log(1 + len(bags) / (1 + held)))
    if not weights:
        return np.zeros(len(bags))
    return np.asarray(np.array(weights) @ np.array(rows) / sum(weights))


def keys(text: str, language: str) -> set[str]:
    """What two texts share where they have a word in common: its terms in a language, and its crude stem in any, as it is
    written and as it is typed without accents."""
    return {*analyse(text, language), *stems(text), *stems(without_marks(normalized(text)))}


def stems(text: str) -> set[str]:
    """The words of a text without their endings, crudely: six letters tell most words apart, and of those after the
    third, trailing e, n and s are dropped, which are the plurals and cases of English and German. Numbers and what
    holds a digit have no endings.
    """
    return {word if any(map(str.isdigit, word)) else word[:3] + word[3:6].rstrip("ens") for word in plain_words(text)}
