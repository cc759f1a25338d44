"""A library that holds an evaluation set in; its rankings and answers, question by question and all together, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.evaluate.abstention import roc_interval
from rag.evaluate.evaluation import question_vectors, rank_by_floats, rank_in_modes
from rag.evaluate.judged_answers import answer_summary, answer_values, judge_answers
from rag.evaluate.metrics import judged_queries, mean, query_measures, relevant
from rag.evaluate.resampling import LEVEL, mean_interval
from rag.evaluate.runs import ANSWERS, DECIDING_OF_ANSWERS, DECIDING_OF_MODES, Run, question_digests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rag.encoder.encoder import Encoder
    from rag.evaluate.beir import EvaluationSet, KnownAnswer
    from rag.evaluate.judged_answers import JudgedAnswer
    from rag.evaluate.runs import Values
    from rag.library import Library
    from sql.search.request import SearchRequest

FLOAT_MODE = "vector-fp32"
LOOKED_AT = "hybrid"  # the mode by which questions are called bad, where it is there: what `ask` and `search` do


@dataclass(frozen=True)
class SetEvaluation:
    """What was found for every judged query in every mode, and how every question with known answers was answered."""

    given: EvaluationSet
    rankings: Mapping[str, Mapping[str, Sequence[str]]]
    judged: Sequence[JudgedAnswer]

    def __post_init__(self) -> None:
        values: dict[str, Any] = {
            mode: query_measures(rankings, self.given.qrels) for mode, rankings in self.rankings.items()
        }
        if self.judged:
            values[ANSWERS] = answer_values(self.judged)
        object.__setattr__(self, "_values", values)

    @property
    def values(self) -> Values:
        """Every measure of every question: `values[mode or "answers"][measure][question]`."""
        found: Values = self._values  # type: ignore[attr-defined]
        return found

    @property
    def looked_at(self) -> str:
        """The mode by which questions are called bad."""
        return LOOKED_AT if LOOKED_AT in self.rankings else next(iter(self.rankings))

    def run(self, made_with: Mapping[str, Any]) -> Run:
        """What is saved to compare later runs with."""
        known = [one.known for one in self.judged]
        queries = [query for query in self.given.queries if relevant(self.given.qrels.get(query.id, {}))]
        return Run(self.values, question_digests(queries, self.given.qrels, known), made_with)

    def record(self) -> dict[str, Any]:
        """The figures as `eval --json` prints them."""
        modes = {
            mode: {measure: mean(of_query.values()) for measure, of_query in self.values[mode].items()}
            for mode in self.rankings
        }
        queries = len(judged_queries(self.given.qrels))
        record: dict[str, Any] = {"modes": modes, "queries": queries}
        if self.judged:
            record["answers"] = answer_summary(self.judged)
        return record | {"intervals": self.intervals()}

    def intervals(self) -> dict[str, Any]:
        """How far each mean may be off."""
        found: dict[str, Any] = {
            section: {measure: list(mean_interval(list(values.values()))) for measure, values in measures.items()}
            for section, measures in self.values.items()
        }
        area = roc_interval([one.certainty for one in self.judged], [one.known.answerable for one in self.judged])
        if area is not None:
            found[ANSWERS]["auroc"] = list(area)
        return {"level": LEVEL, **found}

    def worst(self, count: int, before: Run | None = None) -> list[dict[str, Any]]:
        """The questions that came out worst, or, next to a run before, those that lost most; of equal ones the surest
        answer first."""
        goodness = goodness_of(self.values, self.looked_at)
        earlier = goodness_of(before.values, self.looked_at) if before else {}
        changes = {name: value - earlier[name] for name, value in goodness.items() if name in earlier}
        certainties = {one.known.id: one.certainty for one in self.judged}
        order = sorted(
            goodness,
            key=lambda name: (changes.get(name, 0.0), goodness[name], -certainties.get(name, 0.0), name),
        )
        answers, texts = {one.known.id: one for one in self.judged}, {one.id: one.text for one in self.given.queries}
        return [
            {"id": name, "question": texts.get(name) or answers[name].known.question}
            | self.retrieval_record(name)
            | (answered_record(answers[name]) if name in answers else {})
            | ({"change": changes[name]} if name in changes else {})
            for name in order[:count]
            if goodness[name] < 1
        ]

    def retrieval_record(self, query: str) -> dict[str, Any]:
        """What was wanted of a query and what was found; nothing of one that was not judged."""
        grades = self.given.qrels.get(query, {})
        wanted = sorted(relevant(grades), key=lambda document: (-grades[document], document))
        if not wanted:
            return {}
        found = list(self.rankings[self.looked_at].get(query, ()))
        ranks = [found.index(document) + 1 for document in wanted if document in found]
        return {
            "ndcg@10": self.values[self.looked_at]["ndcg@10"][query],
            "relevant": wanted,
            "best_rank": min(ranks, default=None),
            "found_first": found[0] if found else None,
        }


def answered_record(judged: JudgedAnswer) -> dict[str, Any]:
    """What was answered and what was known, as JSON."""
    return {
        "answer": judged.shown,
        "known_answers": list(judged.known.answers),
        "right": judged.right,
        "certainty": judged.certainty,
    }


def goodness_of(values: Values, mode: str) -> dict[str, float]:
    """How well each question came out, 0 to 1: the mean of what runs are told apart by, of a mode and of its answer."""
    parts: dict[str, list[float]] = {}
    for section, deciding in ((mode, DECIDING_OF_MODES), (ANSWERS, DECIDING_OF_ANSWERS)):
        for measure in deciding:
            for question, value in values.get(section, {}).get(measure, {}).items():
                parts.setdefault(question, []).append(value)
    return {question: mean(one) for question, one in parts.items()}


def evaluate_set(
    library: Library,
    given: EvaluationSet,
    answers: Sequence[KnownAnswer],
    request: SearchRequest,
    texts: Mapping[str, str],
    floats: Callable[[], Encoder] | None = None,
) -> SetEvaluation:
    """Searches for every judged query in every mode, and asks every question with known answers.

    `request` says how the vectors are searched, `texts` are the documents' by their sources. With `floats`, which loads a
    float32 model, its vectors are ranked as well. Each question is encoded once.
    """
    queries = [query for query in given.queries if relevant(given.qrels.get(query.id, {}))]
    asked = [*(query.text for query in queries), *(one.question for one in answers)]
    vectors = question_vectors(library.encoder, asked)
    rankings: dict[str, Mapping[str, Sequence[str]]] = {**rank_in_modes(library, queries, vectors, request)}
    if floats is not None:
        rankings[FLOAT_MODE] = rank_by_floats(library.store, floats(), queries)
    return SetEvaluation(given, rankings, judge_answers(library, answers, texts, vectors) if answers else [])
