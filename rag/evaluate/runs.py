"""Runs of an evaluation: kept under a name with the figures of each question, read again, and compared by their questions.

Two means tell little: the same questions were asked both times, and what counts is how each of them changed.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from rag.evaluate.metrics import mean
from rag.evaluate.resampling import ALPHA, LEVEL, holm, mean_interval, randomization_test
from sql.base.errors import RagError, UsageError
from sql.base.paths import expand_user
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rag.evaluate.beir import KnownAnswer, Query
    from rag.evaluate.resampling import Interval

FORM = 1  # of the file
NAME = re.compile(r"[\w][\w.+-]{0,99}")
SUFFIX = ".json"
ANSWERS = "answers"  # the name beside those of modes under which the measures of answers stand

# The measures by which two runs are told apart: one for each thing that can get worse by itself. More of them would only
# make it harder for each to be significant.
DECIDING_OF_MODES = ("ndcg@10",)
DECIDING_OF_ANSWERS = ("contains_answer", "refused")

# `values[section][measure][question]`, a section being a mode or ANSWERS.
Values: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, float]]]"


class RunError(RagError):
    """A saved run is not there, is none, or has nothing to be compared with."""

    code: ClassVar[str] = "run"


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation: every measure of every question, and what the questions and the program were.

    `questions` has a digest of each question with what is known of it: only equal ones can be compared. `made_with` is
    whatever else may explain a difference.
    """

    values: Values
    questions: Mapping[str, str]
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The run as JSON."""
        return {"form": FORM, **asdict(self)}

    @classmethod
    def from_record(cls, record: Any) -> Run:
        """A run as `record` has made it; ValueError for anything else."""
        if not isinstance(record, dict) or record.get("form") != FORM:
            raise ValueError(f"it does not say that its form is {FORM}")
        values, questions, made_with = (record.get(name) for name in ("values", "questions", "made_with"))
        if not (isinstance(values, dict) and isinstance(questions, dict) and isinstance(made_with, dict)):
            raise ValueError("values, questions or made_with is missing")
        for section, measures in values.items():
            for measure, numbers in measures.items() if isinstance(measures, dict) else [("", None)]:
                if not isinstance(numbers, dict) or not all(isinstance(one, int | float) for one in numbers.values()):
                    raise ValueError(f"the values of {section} {measure} are no numbers of questions")
        return cls(values, questions, made_with)


def question_digests(
    queries: Sequence[Query], qrels: Mapping[str, Mapping[str, int]], answers: Sequence[KnownAnswer]
) -> dict[str, str]:
    """A digest of each query and of each question, with what it is judged by."""
    known: dict[str, list[Any]] = {
        query.id: [query.text, sorted(qrels[query.id].items())] for query in queries if query.id in qrels
    }
    for answer in answers:
        known.setdefault(answer.id, []).extend([answer.question, answer.answers, answer.document_id])
    return {identity: digest(judged) for identity, judged in known.items()}


def digest(value: Any) -> str:
    """64 bits over a value that JSON can hold."""
    return blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()


# Files


def run_path(name: str, cache: Path, option: str) -> Path:
    """Where a run is kept: a name in the user's cache, and what ends in .json where it says; UsageError for neither."""
    if name.endswith(SUFFIX):
        return expand_user(name, option)
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{option} {name!r:.100}: a run is called by letters, digits and ._+- only, or by the path of a file that ends "
            f"in {SUFFIX}"
        )
    return cache / "runs" / f"{name}{SUFFIX}"


def save_run(run: Run, path: Path) -> None:
    """Writes a run in the place of an older one, all of it or nothing; RunError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f"{path.name}.part")
        written.write_text(json.dumps(run.record(), ensure_ascii=False), encoding="utf-8")
        written.replace(path)
    except OSError as error:
        raise RunError(f"the run cannot be saved as {path}: {error.strerror}") from error


def read_run(path: Path, option: str) -> Run:
    """A saved run; RunError where there is none, or something else."""
    try:
        return Run.from_record(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        known = ", ".join(sorted(one.stem for one in path.parent.glob(f"*{SUFFIX}"))) or "none is there"
        raise RunError(f"{option}: there is no run {path}; save one with --save first ({known})") from error
    except OSError as error:
        raise RunError(f"{option}: {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{option}: {path} is no saved run ({error}): save it again with --save") from error


# Comparison


@dataclass(frozen=True, slots=True)
class Difference:
    """How a measure has changed over the questions that two runs share: means, their difference, and its chance.

    `interval` is that of the difference. `p_value` is that of `randomization_test`; of a measure that decides, Holm's
    correction for their number is in `adjusted`.
    """

    section: str
    measure: str
    questions: int
    before: float
    now: float
    interval: Interval
    p_value: float
    adjusted: float | None = None

    @property
    def difference(self) -> float:
        """Now less before."""
        return self.now - self.before

    @property
    def significant(self) -> bool:
        """Whether it decides and chance hardly ever does as much."""
        return self.adjusted is not None and self.adjusted < ALPHA

    def record(self) -> dict[str, Any]:
        """The difference as JSON."""
        return {
            "section": self.section,
            "measure": self.measure,
            "questions": self.questions,
            "before": self.before,
            "now": self.now,
            "difference": self.difference,
            "interval": list(self.interval),
            "p": self.p_value,
            "p_adjusted": self.adjusted,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run against a saved one: every measure that both have, and how many questions they share."""

    name: str
    differences: tuple[Difference, ...]
    shared: int
    only_one: int

    @property
    def deciding(self) -> list[Difference]:
        """Those by which runs are told apart."""
        return [one for one in self.differences if one.adjusted is not None]

    @property
    def worse(self) -> bool:
        """Whether anything that decides is significantly worse."""
        return any(one.significant and one.difference < 0 for one in self.deciding)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        changed = [one for one in self.deciding if one.significant]
        if worse := [one for one in changed if one.difference < 0]:
            return f"significantly worse than {self.name}: {'; '.join(map(described, worse))}"
        if changed:
            return f"significantly better than {self.name}: {'; '.join(map(described, changed))}"
        if not self.deciding:
            return f"nothing that decides was measured both now and in {self.name}"
        least = min(self.deciding, key=lambda one: one.p_value)
        return f"not significantly different from {self.name}; closest to it comes {described(least)}"

    def record(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {
            "run": self.name,
            "worse": self.worse,
            "sentence": self.sentence,
            "questions": self.shared,
            "questions_of_one_only": self.only_one,
            "level": LEVEL,
            "differences": [one.record() for one in self.differences],
        }


def described(one: Difference) -> str:
    """A difference in words."""
    low, high = one.interval
    return (
        f"{one.measure} of {one.section} {one.before:.4f} -> {one.now:.4f} ({one.difference:+.4f}, {LEVEL:.0%} between "
        f"{low:+.4f} and {high:+.4f}, p = {one.adjusted if one.adjusted is not None else one.p_value:.2g}, "
        f"{counted(one.questions, 'question')})"
    )


def compare_runs(name: str, before: Run, now: Run) -> Comparison:
    """Every measure of both runs over the questions that are the same in both; RunError where there is none."""
    shared = {question for question, known in now.questions.items() if before.questions.get(question) == known}
    if not shared:
        raise RunError(
            f"--against {name}: none of its {len(before.questions)} questions is among these {len(now.questions)} with the "
            "same text and judgements: it was saved from another set"
        )
    differences = [
        compared(section, measure, before.values[section][measure], values, shared)
        for section, measures in now.values.items()
        for measure, values in measures.items()
        if measure in before.values.get(section, {})
    ]
    only_one = len(now.questions) + len(before.questions) - 2 * len(shared)
    return Comparison(name, decided([one for one in differences if one.questions]), len(shared), only_one)


def compared(
    section: str, measure: str, before: Mapping[str, float], now: Mapping[str, float], shared: set[str]
) -> Difference:
    """One measure of both runs."""
    both = [question for question in now if question in before and question in shared]
    changes = [now[question] - before[question] for question in both]
    return Difference(
        section,
        measure,
        len(both),
        mean([before[question] for question in both]),
        mean([now[question] for question in both]),
        mean_interval(changes),
        randomization_test(changes),
    )


def decided(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The differences, those that decide with their p-values adjusted to each other."""
    deciding = [
        place
        for place, one in enumerate(differences)
        if one.measure in (DECIDING_OF_ANSWERS if one.section == ANSWERS else DECIDING_OF_MODES)
    ]
    adjusted = dict(zip(deciding, holm([differences[place].p_value for place in deciding]), strict=True))
    return tuple(replace(one, adjusted=adjusted.get(place)) for place, one in enumerate(differences))
