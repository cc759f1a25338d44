"""Questions with known answers in, what the answers to them are worth out: question by question, and all together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.answer.answer import Answer
from rag.encoder.encoder import Encoder
from rag.evaluate.abstention import calibration_error, risk_area, risk_coverage, roc_area, thinned
from rag.evaluate.answer_measures import contains, exact_match, f1
from rag.evaluate.metrics import mean
from rag.library import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.answer.answer import Citation
    from rag.answer.check import GeneratedAnswer
    from rag.evaluate.beir import KnownAnswer
    from sql.records import LiveDocument
    from sql.store import Snapshot

    TextOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class JudgedCitation:
    """A citation: whether its document is there and its place lies in it, whether that place reads so, and whether it
    holds a known answer."""

    resolvable: bool
    literal: bool
    holds_answer: bool


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """An answer held against the known ones of its question; `shown` is it without the numbers of its citations, and
    `marked` what a reader has marked in the best one: the answer that exact match and F1 look at where there is one.

    `certainty` is the confidence of the answer, also where it is withheld.
    """

    known: KnownAnswer
    shown: str
    certainty: float
    cites_document: bool
    citations: tuple[JudgedCitation, ...]
    marked: str = ""

    @property
    def answered(self) -> bool:
        """Whether anything was answered."""
        return bool(self.shown)

    @property
    def right(self) -> bool:
        """Whether it holds a known answer, or says nothing where there is none."""
        return contains(self.shown, self.known.answers) if self.known.answerable else not self.answered

    def measures(self) -> dict[str, float]:
        """What a mean is taken of; a question without an answer has other measures than one with an answer."""
        said = self.marked or self.shown
        same = {"exact": exact_match(said, self.known.answers), "f1": f1(said, self.known.answers)}
        if not self.known.answerable:
            return {**same, "refused": float(not self.answered)}
        first = self.citations[:1]
        return {
            **same,
            "contains_answer": float(self.right),
            "first_contains_answer": float(bool(first) and first[0].holds_answer),
            "cites_document": float(self.cites_document),
            "abstained": float(not self.answered),
        }


@dataclass
class CitedTexts:
    """The texts that citations are looked up in: those given by their sources, and for others those of the store."""

    given: Mapping[str, str]
    snapshot: Snapshot
    _documents: dict[str, LiveDocument] | None = None

    def __post_init__(self) -> None:
        self._read: dict[str, str | None] = {}

    def text_of(self, source: str) -> str | None:
        """The text of a document, None where there is none of that source."""
        if source in self.given:
            return self.given[source]
        if source not in self._read:
            if self._documents is None:
                self._documents = {one.source: one for one in self.snapshot.documents()}
            document = self._documents.get(source)
            self._read[source] = None if document is None else self.snapshot.document_text(document)
        return self._read[source]


def judge_answers(
    library: Library,
    known: Sequence[KnownAnswer],
    texts: Mapping[str, str],
    vectors: Mapping[str, NDArray[np.float32]],
) -> list[JudgedAnswer]:
    """Asks every question and judges the extractive answer. `texts` are documents by their sources, in which citations are
    looked up, `vectors` those of questions that are known already, float32 (dimensions,) each.
    """
    snapshot = library.store.snapshot()
    kernel, cited = library.encoder.kernel, CitedTexts(texts, snapshot)
    # the one kernel for all of them: that for many texts would take over in the middle
    encoder = Encoder(library.encoder.config, library.encoder.tokenizer, lambda: kernel)
    asked = Library(
        library.store,
        lambda: encoder,
        library.settings,
        language=library.language,
        rerank=library.rerank,
        reader=library.reader,
    )
    return [
        judge_answer(
            asked.ask(one.question, llm="none", epoch=snapshot.epoch, vector=vectors.get(one.question)),
            one,
            cited.text_of,
        )
        for one in known
    ]


def judge_answer(answer: Answer | GeneratedAnswer, known: KnownAnswer, text_of: TextOf) -> JudgedAnswer:
    """One answer held against the known ones; `text_of` gives the text of a source, or None."""
    return JudgedAnswer(
        known,
        shown_text(answer),
        answer.confidence,
        any(citation.source == known.document_id for citation in answer.citations),
        tuple(judge_citation(citation, known.answers, text_of(citation.source)) for citation in answer.citations),
        answer.citations[0].answer_text if isinstance(answer, Answer) and answer.answered else "",
    )


def shown_text(answer: Answer | GeneratedAnswer) -> str:
    """What an answer says, without the numbers that it cites by; empty where it says nothing."""
    if isinstance(answer, Answer):
        return " ".join(
            " ".join(text for text in (one.context.text if one.context else "", one.text) if text)
            for one in answer.citations
        )
    from rag.answer.check import MARK

    return MARK.sub(" ", answer.text).strip() if answer.answered else ""


def judge_citation(citation: Citation, answers: Sequence[str], text: str | None) -> JudgedCitation:
    """A citation held against the text of its document, None where there is no such document."""
    resolvable = text is not None and 0 <= citation.start < citation.end <= len(text)
    literal = resolvable and text is not None and text[citation.start : citation.end] == citation.text
    context = citation.context.text if citation.context else ""
    return JudgedCitation(resolvable, literal, contains(f"{context} {citation.text}", answers))


# All together


def answer_values(judged: Iterable[JudgedAnswer]) -> dict[str, dict[str, float]]:
    """Every measure of every question that has it: `values[measure][question]`."""
    values: dict[str, dict[str, float]] = {}
    for one in judged:
        for name, value in one.measures().items():
            values.setdefault(name, {})[one.known.id] = value
    return values


def answer_summary(judged: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """The figures of all answers, as `eval --json` prints them.

    `contains_answer`, `first_contains_answer`, `cites_document` and `abstained` are parts of the questions that have an
    answer, `exact` and `f1` means over all.
    """
    values = answer_values(judged)
    with_answer = [one for one in judged if one.known.answerable]
    without = [one for one in judged if not one.known.answerable]
    of_answerable = ("contains_answer", "cites_document", "abstained", "first_contains_answer")
    summary: dict[str, Any] = {"questions": len(judged), "answerable": len(with_answer)}
    summary |= {name: mean(values.get(name, {}).values()) for name in (*of_answerable, "exact", "f1")}
    summary |= {
        "exact_answerable": mean([values["exact"][one.known.id] for one in with_answer]),
        "f1_answerable": mean([values["f1"][one.known.id] for one in with_answer]),
        "sentences": mean([len(one.citations) for one in with_answer if one.answered]),
        "citations": citation_summary(judged),
        "abstention": abstention_summary(judged),
    }
    if without:
        summary["unanswerable"] = {"questions": len(without), "abstained": mean(values["refused"].values())}
    return summary


def citation_summary(judged: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """How many citations there are, and the share of them that each promise holds for; null where there are none.

    `holds_answer` is the precision of citations: of those to questions with an answer, the share that holds one.
    """
    every = [citation for one in judged for citation in one.citations]
    useful = [citation.holds_answer for one in judged if one.known.answerable for citation in one.citations]
    return {
        "count": len(every),
        "resolvable": mean([one.resolvable for one in every]) if every else None,
        "literal": mean([one.literal for one in every]) if every else None,
        "holds_answer": mean(useful) if useful else None,
    }


def abstention_summary(judged: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """How well certainty tells the questions that have an answer from others, and right answers from wrong ones.

    In the curve an answer is wrong that holds no known one, and any to a question without one. Of an answer that was
    withheld nobody knows whether it was right; it counts as wrong, and has the certainty that was too little.
    """
    certainties, given = [one.certainty for one in judged], [one for one in judged if one.answered]
    curve = risk_coverage(certainties, [one.known.answerable and one.right for one in judged])
    return {
        "calibration_error": calibration_error(
            [one.certainty for one in given], [one.known.answerable and one.right for one in given]
        ),
        "auroc": roc_area(certainties, [one.known.answerable for one in judged]),
        "aurc": risk_area(curve),
        "curve": [
            {"threshold": point.threshold, "coverage": point.coverage, "risk": point.risk} for point in thinned(curve)
        ],
    }
