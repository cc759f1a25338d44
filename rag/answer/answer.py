"""A question and the chunks found for it in, the sentences that answer it out, quoted exactly; or nothing.

No language model: what speaks for each sentence of the found chunks is gathered (rag/answer/evidence.py) and weighed
(rag/answer/merit.py). A question that probably no sentence answers gets no answer rather than a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.answer.candidates import Candidate, candidate_sentences
from rag.answer.definitions import asked_term, defining_first
from rag.answer.evidence import gather_evidence, held_share, share_in
from rag.answer.merit import confidence as confidence_of
from rag.answer.merit import merits, shares
from rag.answer.quotation import BLANK_LINE, Context, quotations
from rag.answer.shown import shown_text
from rag.text.analyser import plain_words
from rag.text.identifiers import folded, identifiers
from rag.text.pronouns import leans_back
from sql.base.settings import DEFAULT_MIN_CONFIDENCE
from sql.records.places import Page, page_label, place_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.answer.quotation import Quotation
    from rag.encoder.encoder import Encoder
    from rag.retrieve.words import Rarities
    from rag.text.identifiers import Identifier
    from sql.records import Hit
    from sql.records.places import Place
    from sql.store import Snapshot

MAX_SENTENCES = 3
# A further sentence must be this probable, next to the best one.
FURTHER_SENTENCES = 0.06
# A sentence that is withheld is named all the same from this confidence on.
NEAREST_CONFIDENCE = 0.08
QUOTATION_MARKS = str.maketrans(dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’‚", "'"))
ECHOED_WORDS = 3  # of a question, for a sentence to hold it by more than chance
NAMED_CANDIDATES = 4  # times as many chunks are looked at for a question with exact names
DEFINING_CANDIDATES = 25  # and where it is asked what a thing is: what it names, most chunks may name


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
        """The quotation as it is read: on one line, or, where it is code or has brought along a list, on its own lines."""
        return shown_text(self.text, lines=self.lines) + (" …" if self.is_cut else "")

    @property
    def lead(self) -> str:
        """Its context as it is read above it, on a line of its own; empty without one."""
        return f"{' '.join(self.context.text.split())}\n" if self.context else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: the sentences in order of merit, or none.

    `confidence` is the probability that the best sentence answers the question, 0 to 1, also where that is withheld; it is the
    `nearest` one then, unless it is too improbable to be of use. `query_id` is that in the query log, "" outside of it.
    """

    question: str
    citations: tuple[Citation, ...]
    confidence: float = 0.0
    query_id: str = field(default="", kw_only=True)
    nearest: Citation | None = field(default=None, kw_only=True)

    @property
    def answered(self) -> bool:
        """Whether anything fits the question."""
        return bool(self.citations)

    @property
    def text(self) -> str:
        """The sentences with their numbers: `The first one. [1] The second one. [2]`; empty where nothing fits."""
        return self.separator.join(self.parts)

    @property
    def separator(self) -> str:
        """What stands between its sentences: a line end where one of them has several lines."""
        return "\n" if any("\n" in part for part in self.parts) else " "

    @property
    def parts(self) -> list[str]:
        """Each quotation with its number, below its context where the one before does not have the same."""
        parts, above = [], None
        for number, citation in enumerate(self.citations, start=1):
            lead = citation.lead if citation.context != above else ""
            parts.append(f"{lead}{citation.shown} [{number}]")
            above = citation.context
        return parts


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
    ranked, confidence = judge_sentences(question, query, hits, encoder, rarities)
    least = DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence
    if not ranked or confidence < least:
        return Answer(
            question, (), confidence, nearest=ranked[0] if ranked and confidence >= NEAREST_CONFIDENCE else None
        )
    close = apart([one for one in ranked if one.score >= FURTHER_SENTENCES * ranked[0].score])[:MAX_SENTENCES]
    shown = apart([whole_list(citation, close, ranked) for citation in close])
    return Answer(question, with_leads(shown, hits, rarities.language if rarities else ""), confidence)


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
    """The citations without those that say nothing new beside a better one.

    That is an item of a list that is quoted whole, and what another document says in the same words, as a page and the
    source that it was made from do.
    """
    kept: list[Citation] = []
    for one in ranked:
        if not any(overlap(one, other) or wording(one) == wording(other) for other in kept):
            kept.append(one)
    return kept


def overlap(one: Citation, other: Citation) -> bool:
    """Whether two quotations share some of their text."""
    return one.source == other.source and one.start < other.end and other.start < one.end


def wording(citation: Citation) -> tuple[str, str]:
    """What a quotation and its context say: their texts without line ends and the shapes of quotation marks.

    Nothing else is left out: a sign may be all that two rows differ by.
    """
    context = citation.context.text if citation.context else ""
    quoted, above = (" ".join(text.translate(QUOTATION_MARKS).split()) for text in (citation.text, context))
    return quoted, above


def with_leads(shown: Sequence[Citation], hits: Sequence[Hit], language: str) -> tuple[Citation, ...]:
    """The citations, of which those that begin with an open pronoun get the sentence before as context, unless it is shown.

    That is the one right before it, in the same paragraph of the same chunk.
    """
    open_ones = [one for one in shown if one.context is None and not one.lines and leans_back(one.text, language)]
    leads: dict[tuple[str, int], Context] = {}
    for hit in hits if open_ones else ():
        some = list(quotations(hit))
        for before, quotation in pairwise(some):
            between = hit.text[before.end - hit.start : quotation.start - hit.start]
            between = between.replace(">", " ")  # marks of a quotation
            if not between.strip() and not BLANK_LINE.search(between) and not before.lines:
                leads.setdefault((hit.source, quotation.start), Context(before.start, before.end, before.text))
    found = [(one, leads.get((one.source, one.start)) if one in open_ones else None) for one in shown]
    taken = {(one.source, one.start) for one in shown}
    return tuple(
        replace(one, context=lead) if lead and (one.source, lead.start) not in taken else one for one, lead in found
    )


def rank_sentences(
    question: str, query: NDArray[np.float32], hits: Sequence[Hit], encoder: Encoder, rarities: Rarities | None = None
) -> list[Citation]:
    """Every sentence of the chunks that may answer with its final score, best first; of equal ones the one found earlier."""
    return judge_sentences(question, query, hits, encoder, rarities)[0]


def judge_sentences(
    question: str, query: NDArray[np.float32], hits: Sequence[Hit], encoder: Encoder, rarities: Rarities | None = None
) -> tuple[list[Citation], float]:
    """The same, and the probability that the best one answers; none and 0 where nothing may."""
    candidates = possible_answers(question, hits)
    if not candidates:
        return [], 0.0
    evidence = gather_evidence(question, query, candidates, encoder, rarities)
    of_merits = merits(evidence)
    read = [candidate for candidate, is_read in zip(candidates, evidence.read.tolist(), strict=True) if is_read]
    scored = zip(read, shares(of_merits).tolist(), strict=True)
    ranked = sorted((citation_of(candidate, score) for candidate, score in scored), key=lambda one: -one.score)
    return ranked, confidence_of(evidence, of_merits)


def citation_of(candidate: Candidate, score: float) -> Citation:
    """A candidate with its place and score."""
    quotation, hit = candidate.quotation, candidate.hit
    return Citation(
        hit.source,
        quotation.start,
        quotation.end,
        hit.outline.line_at(quotation.start) or hit.line + count_lines(hit.text[: quotation.start - hit.start]),
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


def with_nearest_located(snapshot: Snapshot, answer: Answer) -> Answer:
    """The answer, whose nearest sentence has its places too."""
    return replace(answer, nearest=located(snapshot, [answer.nearest])[0]) if answer.nearest else answer


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


def count_lines(text: str) -> int:
    """How many line ends a text holds."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


# Which chunks and sentences are looked at


def looked_at(question: str, k: int, *, is_reranked: bool = False) -> int:
    """How many chunks are looked at for k to answer from: more for exact names, and where it is asked what a thing is, but for
    no more than a cross-encoder can order in a moment."""
    if asked_term(question):
        return k * (NAMED_CANDIDATES if is_reranked else DEFINING_CANDIDATES)
    return k * NAMED_CANDIDATES if identifiers(question) else k


def most_telling(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The chunks, those first that hold the exact names of a question, and of them those that say what it asks the meaning of.

    A search knows the parts of such a name and not the name itself, and many chunks are nearer to a term than what defines it.
    """
    return with_names_first(defining_first(hits, asked_term(question)), identifiers(question))


def with_names_first(hits: Sequence[Hit], names: Sequence[Identifier]) -> list[Hit]:
    """The chunks in the order of how many of the names they hold, in their text or headings; of equal ones as found.

    The same member of something else counts OF_ANOTHER.
    """
    texts = [folded(f"{hit.heading}\n{hit.text}") if names else "" for hit in hits]
    held = [sum(share_in(name, text) for name in names) for text in texts]
    order = sorted(range(len(hits)), key=lambda place: -held[place])
    return [hits[place] for place in order]


def possible_answers(question: str, hits: Sequence[Hit]) -> list[Candidate]:
    """The sentences of the chunks that may answer: neither about something else of the kind of what is asked about, nor the
    question once more, as the example of a command has it."""
    return without_rivals(without_echoes(question, candidate_sentences(hits)), identifiers(question))


def without_echoes(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates but for those that hold a question word by word; a row may have the answer beside it."""
    words = plain_words(question)
    if len(words) < ECHOED_WORDS or not question.rstrip().endswith("?"):
        return list(candidates)
    echoed = f" {' '.join(words)} "
    return [
        one
        for one in candidates
        if one.quotation.is_row or echoed not in f" {' '.join(plain_words(one.quotation.text))} "
    ]


def without_rivals(candidates: Sequence[Candidate], names: Sequence[Identifier]) -> list[Candidate]:
    """The candidates that may speak of the names in the question.

    None, where a name of the question stands in no candidate at all, nor in the headings above: nothing is known of it.
    Otherwise all but those that speak of another name of the same shape, and only those that hold a name where none holds more
    of it than its member. A sentence may well tell of `read_timeout` what is asked of `LINE_CLOSED`, but not what is asked of
    `write_timeout`.
    """
    if not names:
        return list(candidates)
    held = [[held_share(name, candidate) for name in names] for candidate in candidates]
    required = [column for column, name in enumerate(names) if not name.has_other_forms]
    most = max((row[column] for row in held for column in required), default=1.0)
    if most == 0:
        return []
    return [
        candidate
        for candidate, row in zip(candidates, held, strict=True)
        if any(row) or not (most < 1 or speaks_of_rival(names, candidate.quotation))
    ]


@lru_cache(maxsize=6000)
def names_in(sentence: str) -> tuple[Identifier, ...]:
    """The exact names in a sentence, which is met again with other questions."""
    return identifiers(sentence)


def speaks_of_rival(names: Sequence[Identifier], quotation: Quotation) -> bool:
    """Whether a quotation holds a name of the same shape as one that was asked for."""
    others = names_in(quotation.text)
    return any(name.has_rival_in(others, all_of_shape=quotation.is_row) for name in names)
