"""What quantizing a cross-encoder or a reader saves and costs: a model's name in, figures of its float32 and int8 forms out.

Speed is measured in turns in one process, the fastest round of each form counts. Loss is what changes for whoever uses it:
of a cross-encoder the order of the passages of a question, of a reader the span that it marks. On an evaluation set the
same is told against what is known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.answer.reading import read_passages
from rag.encoder.checkpoint import WEIGHTS_FILE
from rag.encoder.encoder import checkpoint_folder
from rag.encoder.heads import RERANK
from rag.encoder.pairs import load_float_pair_model, load_pair_model
from rag.encoder.weights import float_model
from rag.evaluate.answer_measures import f1
from rag.evaluate.metrics import mean, ndcg, relevant
from rag.evaluate.model_memory import held_bytes
from rag.text.sample_text import sample_passages
from sql.base.settings import READER_MIN_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.encoder.pairs import PairModel
    from rag.evaluate.beir import KnownAnswer
    from rag.evaluate.model_report import JudgedSet
    from sql.base.settings import Settings

PASSAGES, PASSAGE_TOKENS = 30, 200  # of a question: what a search gives a cross-encoder
QUESTION_TOKENS = 16
QUESTIONS = 6  # made up, where there is no set
MOST_QUESTIONS = 50  # of a set: each takes float32 seconds
ROUNDS = 3
TOP = 10
MODES = ("int8", "fp32")  # of ours that are compared with float32


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the passages that are read for it.

    `grades` are those of the passages' documents, `sources` the documents, where they are judged; `answers` the known
    ones, None where nothing is known.
    """

    question: str
    passages: Sequence[str]
    sources: Sequence[str] = ()
    grades: Mapping[str, int] = field(default_factory=dict)
    answers: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """What one form takes and gives; losses are against the first form, None for itself.

    Of a cross-encoder: `correlation` of raw outputs, the mean of each question's; `ranks_changed`, by how many places a
    passage moves on average; `first_kept`, the share of questions whose first passage stays. Of a reader: `spans_kept`, the
    share of passages in which the same span is best; `decisions_kept`, that in which answer or none is decided alike.
    `quality` is nDCG@10 or F1 where something is known, and `kept` the share of the first form's.
    """

    name: str
    disk_bytes: int
    weights_bytes: int
    milliseconds: float
    tokens_per_second: float
    correlation: float | None = None
    ranks_changed: float | None = None
    first_kept: float | None = None
    spans_kept: float | None = None
    decisions_kept: float | None = None
    quality: float | None = None
    kept: float | None = None


@dataclass(frozen=True, slots=True)
class HeadReport:
    """The figures of a model's forms: `pairs` of `tokens` in all were timed, and `questions` compared."""

    model: str
    task: str
    pairs: int
    tokens: int
    questions: int
    measure: str
    forms: Sequence[HeadFigures]

    def record(self) -> dict[str, Any]:
        """The report as JSON: every key is always there, null stands for what was not measured."""
        names = [name for name in HeadFigures.__slots__ if name not in {"quality"}]
        return {
            "model": self.model,
            "task": self.task,
            "pairs": self.pairs,
            "tokens": self.tokens,
            "questions": self.questions,
            "forms": [{name: getattr(row, name) for name in names} | {self.measure: row.quality} for row in self.forms],
        }


def measure_head(
    settings: Settings,
    model: str,
    task: str,
    asked: Sequence[Asked] = (),
    announce: Callable[[str], None] = lambda sentence: None,
) -> HeadReport:
    """Measures a model whose head does a task, in float32 and int8, on questions with their passages or on made-up ones.

    Raises ModelError where the model or its float weights are not to be had, or where it is of another kind.
    """
    forms = load_forms(settings, model, task, announce)
    first = forms["float32"]
    questions = list(asked[:MOST_QUESTIONS]) or made_up_questions(first)
    timed = max(questions, key=lambda one: len(one.passages))
    pairs = [windows[0] for windows in first.encoder.tokenizer.pairs(timed.question, timed.passages)]
    tokens = sum(len(pair.ids) for pair in pairs)
    announce(f"measuring speed over {len(pairs)} pairs of {tokens / len(pairs):.0f} tokens")
    seconds = {name: float("inf") for name in forms}
    for number in range(ROUNDS + 1):
        for name, form in forms.items():
            started = time.perf_counter()
            form.outputs(pairs)
            if number:  # the first one loads what is loaded on first use
                seconds[name] = min(seconds[name], time.perf_counter() - started)
    announce(f"comparing {len(questions)} questions")
    compare = compare_orders if task == RERANK else compare_spans
    losses = compare(forms, questions)
    disk = disk_bytes(settings, model, task)
    rows = [
        HeadFigures(
            name,
            disk[name == "float32"],
            held_bytes([form.encoder.kernel, form.head]),
            1000 * seconds[name],
            tokens / seconds[name],
            **losses[name],
        )
        for name, form in forms.items()
    ]
    measure = f"ndcg@{TOP}" if task == RERANK else "f1"
    return HeadReport(first.name, task, len(pairs), tokens, len(questions), measure, rows)


def load_forms(settings: Settings, model: str, task: str, announce: Callable[[str], None]) -> dict[str, PairModel]:
    """The model in float32 and in each of our modes, by their names."""
    ours = {mode: load_pair_model(settings, model, task, compute=mode, announce=announce) for mode in MODES}
    named = {("int8" if mode == "int8" else f"int8 {mode}"): form for mode, form in ours.items()}
    return {"float32": load_float_pair_model(settings, ours["int8"]), **named}


def disk_bytes(settings: Settings, model: str, task: str) -> dict[bool, int]:
    """Bytes of the weights on disk: of the float file under True, of the int8 checkpoint under False."""
    folder = checkpoint_folder(settings, model, task=task)
    config = load_pair_model(settings, model, task).encoder.config
    with float_model(config.float_model or config.model, offline=settings.offline) as weights:
        return {True: weights.weights.stat().st_size, False: (folder / WEIGHTS_FILE).stat().st_size}


def made_up_questions(model: PairModel) -> list[Asked]:
    """Questions of some words each, and passages of many: nothing is known of them but that they are texts."""
    tokenizer, room = model.encoder.tokenizer, model.encoder.config.max_tokens // 2
    passages = sample_passages(tokenizer, PASSAGES, min(PASSAGE_TOKENS, room))
    asked = [tokenizer.fitting(text, min(QUESTION_TOKENS, room // 2)) for text in passages[:QUESTIONS]]
    return [Asked(question, passages) for question in asked]


def judged_questions(judged: JudgedSet, encoder: Encoder) -> list[Asked]:
    """The judged queries of a set, each with the passages that an encoder finds nearest."""
    queries = [query for query in judged.queries if relevant(judged.qrels.get(query.id, {}))][:MOST_QUESTIONS]
    vectors = encoder.encode_documents([text for _, text in judged.passages])
    asked = []
    for query, vector in zip(queries, encoder.encode_queries([query.text for query in queries]), strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[:PASSAGES].tolist()
        sources, texts = zip(*(judged.passages[row] for row in nearest), strict=True)
        asked.append(Asked(query.text, texts, sources, judged.qrels[query.id]))
    return asked


def answered_questions(passages: Sequence[tuple[str, str]], known: Sequence[KnownAnswer]) -> list[Asked]:
    """The questions with known answers, each with the passages of the document that holds the answer or comes closest."""
    of_documents: dict[str, list[str]] = {}
    for source, text in passages:
        of_documents.setdefault(source, []).append(text)
    spread = known[:: max(1, len(known) // MOST_QUESTIONS)][:MOST_QUESTIONS]
    return [
        Asked(one.question, of_documents[one.document_id], answers=one.answers)
        for one in spread
        if one.document_id in of_documents
    ]


# Cross-encoders


def compare_orders(forms: Mapping[str, PairModel], questions: Sequence[Asked]) -> dict[str, dict[str, Any]]:
    """What each form makes of the order of passages, next to the first one."""
    raw = {name: [raw_scores(form, one) for one in questions] for name, form in forms.items()}
    expected = next(iter(raw.values()))
    quality = {
        name: mean([graded(one, scores) for one, scores in zip(questions, found, strict=True) if one.grades])
        for name, found in raw.items()
    }
    known = any(one.grades for one in questions)
    losses: dict[str, dict[str, Any]] = {}
    for name, found in raw.items():
        losses[name] = with_quality(quality[name], next(iter(quality.values()))) if known else {}
        if found is expected:
            continue
        pairs = list(zip(found, expected, strict=True))
        losses[name] |= {
            "correlation": mean([correlation(one, other) for one, other in pairs]),
            "ranks_changed": mean([float(np.abs(ranks(one) - ranks(other)).mean()) for one, other in pairs]),
            "first_kept": mean([float(one.argmax() == other.argmax()) for one, other in pairs]),
        }
    return losses


def raw_scores(model: PairModel, asked: Asked) -> NDArray[np.float64]:
    """The raw output of a cross-encoder for each passage, before it is made a score; float64 (passages,)."""
    pairs = [windows[0] for windows in model.encoder.tokenizer.pairs(asked.question, asked.passages)]
    return np.array([output[0] for output in model.outputs(pairs)], dtype=np.float64)


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation; 1 where both or either are constant and equal, or there is a single number."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float(np.allclose(one, other))
    return float(np.corrcoef(one, other)[0, 1])


def ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of each score among them, the highest being 0.

    >>> ranks(np.array([0.5, 2.0, 1.0])).tolist()
    [2, 0, 1]
    """
    places = np.empty(len(scores), dtype=np.int64)
    places[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return places


def graded(asked: Asked, scores: NDArray[np.float64]) -> float:
    """nDCG@10 of the documents of the passages in the order of their scores, each by its best one."""
    order = np.argsort(-scores, kind="stable")
    return ndcg(list(dict.fromkeys(asked.sources[row] for row in order)), asked.grades, TOP)


# Readers


def compare_spans(forms: Mapping[str, PairModel], questions: Sequence[Asked]) -> dict[str, dict[str, Any]]:
    """What each form marks, next to the first one."""
    marked = {name: [mark(form, one) for one in questions] for name, form in forms.items()}
    expected = next(iter(marked.values()))
    quality = {
        name: mean([f1(said(one, spans), one.answers or ()) for one, spans in zip(questions, found, strict=True)])
        for name, found in marked.items()
    }
    known = all(one.answers is not None for one in questions)
    losses: dict[str, dict[str, Any]] = {}
    for name, found in marked.items():
        losses[name] = with_quality(quality[name], next(iter(quality.values()))) if known else {}
        if found is expected:
            continue
        pairs = [pair for one, other in zip(found, expected, strict=True) for pair in zip(one, other, strict=True)]
        margins = np.array([(one[2], other[2]) for one, other in pairs if one[1] > one[0]])
        losses[name] |= {
            "correlation": correlation(margins[:, 0], margins[:, 1]),
            "spans_kept": mean([float(one[:2] == other[:2]) for one, other in pairs]),
            "decisions_kept": mean([float((one[2] > 0) == (other[2] > 0)) for one, other in pairs]),
        }
    return losses


def mark(reader: PairModel, asked: Asked) -> list[tuple[int, int, float]]:
    """Start, end and margin of the best span in each passage; an empty one where it has no token."""
    found = []
    for passage, text in zip(read_passages(asked.question, asked.passages, reader), asked.passages, strict=True):
        span = passage.best_span(0, len(text))
        found.append((0, 0, -np.inf) if span is None else (span.start, span.end, span.margin))
    return found


def said(asked: Asked, spans: Sequence[tuple[int, int, float]]) -> str:
    """The best span over all passages; empty where no answer is more probable."""
    least = float(np.log(READER_MIN_CONFIDENCE / (1 - READER_MIN_CONFIDENCE)))
    start, end, margin, number = max(
        ((*span, number) for number, span in enumerate(spans)), key=lambda one: one[2], default=(0, 0, -np.inf, 0)
    )
    return asked.passages[number][start:end] if margin > least else ""


def with_quality(quality: float, reference: float) -> dict[str, float]:
    """A measure, and the share of the first form's that it is."""
    return {"quality": quality, "kept": quality / reference if reference else 1.0}
