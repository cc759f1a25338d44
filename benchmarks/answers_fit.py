"""Fits the weights by which sentences are chosen (rag/answer/merit.py, rag/answer/network.json) and the confidence of an answer.

    python benchmarks/answers_fit.py FOLDER [FOLDER ...] [--trees FOLDER] [--cache FOLDER] [--plot reliability.png] [--write]

Each FOLDER is in BEIR layout with answers.jsonl, each of whose lines says where its answers begin (`answer_start`) or that
it has none. `--trees` adds the questions of benchmarks/documentation about the trees that benchmarks/documentation_trees.py has
unpacked there. Every question is asked twice, once of all documents and once without what answers it. Articles are left out in
turn, each in all folders at once: a document of corpus.jsonl may name its `article`, else the documents of one share what their
ids begin with, up to the last hyphen; a tree is one article. What is printed is measured on the articles left out, the weights at
the end are those of all, and `--write` writes the network's. The confidence rests on merits of articles that the network has
not learned from, also where it is fitted for others: the network leads too surely where it has. `--cache` keeps what speaks
for the sentences of each folder, which takes the longest. `--plot` draws for each folder how often answers of a confidence
are right.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from answers_evidence import DOCUMENTATION, ENCYCLOPEDIA, Asked, remembered
from answers_network import fit_network

from rag.answer import network
from rag.answer.answer import FURTHER_SENTENCES, MAX_SENTENCES
from rag.answer.merit import CONFIDENCE_WEIGHTS, FEATURES, Evidence, network_rows, shares, signs, twofold
from sql.base.settings import DEFAULT_MIN_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from numpy.typing import NDArray

    from rag.answer.network import Network

    Floats = NDArray[np.float64]

FOLDS = 16  # of articles, in the order they come in: a first set of no more of them leaves out one at a time
PENALTY = 1e-3  # of the squared weights of standardized features
HELD = {"names": 4.0, "version": 1.0, "chunk": 0.0}  # not fitted: these questions have hardly any names and versions
HELD_SIGNS = {"lacking": -2.5}  # nor that of the confidence for these
# What speaks for a sentence or an answer may not count against it, nor what is missing for it: what is alike would share
# large weights of both signs. How long a sentence is and how many pieces words have
# may count either way.
SIDES = {"length": (None, None), "missing_names": (None, 0), "read": (None, 0), "pieces": (None, None)}
COUNTS = {DOCUMENTATION: 2}  # how often the network sees a question, which else would be few among the others
# Of a question whose document was taken away, next to one that has its answer, for how probable an answer is: among what
# people ask they are rarer than here.
REMOVED_COUNT = 0.29
# Of the questions of a set that have an answer: about where DEFAULT_MIN_CONFIDENCE is put.
LEAST_ANSWERED = (0.92, 0.93, 0.94)
BINS = 10  # of the calibration error


def main() -> None:
    """Prints the measures of left-out articles and the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument(
        "--trees", type=Path, metavar="FOLDER", help="trees of documentation, each in a folder of its name"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a reliability plot, drawn by matplotlib")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where what speaks for the sentences is kept")
    parser.add_argument("--write", action="store_true", help="write the network that is fitted on all articles")
    options = parser.parse_args()
    places = [*options.folders, *(sorted(options.trees.iterdir()) if options.trees else [])]
    report([asked for place in places for asked in remembered(place, options.cache)], options)


# Fitting


def with_answers(asked: Iterable[Asked]) -> list[Asked]:
    """The questions of which some sentences hold an answer and others do not."""
    return [one for one in asked if one.evidence and not one.is_removed and one.exact.any() and not one.exact.all()]


@dataclass(frozen=True)
class Chooser:
    """What gives sentences their merits: a sum of weights and a network that adds to it."""

    weights: Floats
    network: Network

    @classmethod
    def fitted(cls, asked: Sequence[Asked]) -> Chooser:
        """One that makes the sentences most probable where answers stand."""
        weights = fit_merits(asked)
        useful = [one for one in with_answers(asked) for _ in range(COUNTS.get(one.folder, 1))]
        found = [one.evidence for one in useful if one.evidence]
        sums = [twofold(one.rows, one.pieces) @ weights for one in found]
        return cls(weights, fit_network([*map(network_rows, found)], sums, [one.exact for one in useful]))

    def merits(self, evidence: Evidence) -> Floats:
        """The merit of each sentence."""
        return np.asarray(
            twofold(evidence.rows, evidence.pieces) @ self.weights + self.network.merits(network_rows(evidence))
        )


def fit_merits(asked: Iterable[Asked]) -> Floats:
    """The weights that make the sentences where answers stand most probable (listwise logistic regression), two for each of
    FEATURES as `twofold` has them."""
    useful = with_answers(asked)
    rows = [twofold(one.evidence.rows, one.evidence.pieces) for one in useful if one.evidence]
    spread = np.concatenate(rows).std(axis=0) + 1e-9
    longest = max(map(len, rows))
    table, answers, absent = (
        np.zeros((len(rows), longest, 2 * len(FEATURES))), np.zeros((len(rows), longest)), np.full((len(rows), longest), -1e9)
    )  # fmt: skip
    for number, (one, values) in enumerate(zip(useful, rows, strict=True)):
        table[number, : len(values)] = values / spread
        answers[number, : len(values)], absent[number, : len(values)] = one.exact, 0

    def loss(weights: Floats) -> tuple[float, Floats]:
        raised = table @ weights + absent
        raised = np.exp(raised - raised.max(axis=1, keepdims=True))
        probable = raised / raised.sum(axis=1, keepdims=True)
        of_answers = (probable * answers).sum(axis=1, keepdims=True) + 1e-12
        slope = np.einsum("qs,qsf->f", probable - probable * answers / of_answers, table) / len(rows)
        return float(-np.log(of_answers).mean() + PENALTY * weights @ weights), slope + 2 * PENALTY * weights

    bounds = [
        (HELD[name] * wide,) * 2 if name in HELD else SIDES.get(name, (0, None))
        for name, wide in zip((*FEATURES, *FEATURES), spread, strict=True)
    ]
    start = np.array([low or 0 for low, _ in bounds], np.float64)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x / spread)


def fit_confidence(found: Floats, right: NDArray[np.bool_]) -> Floats:
    """The weights of a logistic regression, the last one that of 1."""
    mean, spread = found.mean(axis=0), found.std(axis=0) + 1e-9
    table = np.column_stack([(found - mean) / spread, np.ones(len(found))])

    def loss(weights: Floats) -> tuple[float, Floats]:
        raised = table @ weights
        wrong = np.logaddexp(0, raised) - right * raised
        slope = table.T @ (1 / (1 + np.exp(-raised)) - right) / len(found)
        penalty = PENALTY * np.append(weights[:-1], 0)
        return float(wrong.mean() + penalty @ weights), slope + 2 * penalty

    bounds = [
        (HELD_SIGNS[name] * wide,) * 2 if name in HELD_SIGNS else SIDES.get(name, (0, None))
        for name, wide in zip(CONFIDENCE_WEIGHTS, spread, strict=True)
    ] + [(None, None)]
    start = np.array(
        [HELD_SIGNS.get(name, 0) * wide for name, wide in zip(CONFIDENCE_WEIGHTS, spread, strict=True)] + [0]
    )
    weights = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.append(weights[:-1] / spread, weights[-1] - (weights[:-1] / spread) @ mean)


@dataclass(frozen=True)
class Judged:
    """A question judged by some weights: the signs of its confidence, whether its best sentence is right and whether one
    of those shown is, and how many are."""

    asked: Asked
    found: Floats
    first: bool
    anywhere: bool
    shown: int


def judge(one: Asked, chooser: Chooser) -> Judged:
    """A question judged by the merits of its sentences."""
    if one.evidence is None:
        return Judged(one, np.zeros(0), first=False, anywhere=False, shown=0)
    of_merits = chooser.merits(one.evidence)
    share = shares(of_merits)
    order = np.argsort(-share, kind="stable")
    shown = [place for place in order if share[place] >= FURTHER_SENTENCES * share[order[0]]][:MAX_SENTENCES]
    found = signs(one.evidence, of_merits)
    return Judged(
        one,
        np.array([found[name] for name in CONFIDENCE_WEIGHTS]),
        first=bool(one.right[order[0]]) and one.has_answer,
        anywhere=bool(one.right[shown].any()) and one.has_answer,
        shown=len(shown),
    )


def fitted(judged: Sequence[Judged]) -> Floats:
    """The confidence fitted on questions with an answer, asked with and without the document that holds it, that are judged
    by what has not been fitted on them.

    Those that their set has no answer for are written to mislead, and what is gathered here cannot tell them: fitted on
    them too, the confidence of all others would be far too low. Nor is it fitted on documentation, of which a chunk often
    says what another does: taken away, the answer may still be there; nor on the further questions of ENCYCLOPEDIA, which
    people would seldom ask so and which say less of what is not there.
    """
    useful = [
        one
        for one in judged
        if one.asked.evidence and one.asked.has_answer and one.asked.folder not in {DOCUMENTATION, ENCYCLOPEDIA}
    ]
    found, right = np.stack([one.found for one in useful]), np.array([one.first for one in useful])
    removed = np.array([one.asked.is_removed for one in useful])
    # the mean of two regressions tells answers from what only looks like one better than that for right ones alone
    weights = (fit_confidence(found, right) + fit_confidence(found, ~removed)) / 2
    return rescaled(weights, found, right, np.where(removed, REMOVED_COUNT, 1.0))


def rescaled(weights: Floats, found: Floats, right: NDArray[np.bool_], counts: Floats) -> Floats:
    """Weights of a confidence made so much larger or smaller that it is the share that is right (Platt 1999); what is held
    stays as it is."""
    is_held = np.array([*(name in HELD_SIGNS for name in CONFIDENCE_WEIGHTS), False])
    table = np.column_stack([found, np.ones(len(found))])
    free, held = table @ (weights * ~is_held), table @ (weights * is_held)
    counts = counts / counts.sum()

    def loss(scale: Floats) -> float:
        raised = scale[0] * free + scale[1] + held
        return float(counts @ (np.logaddexp(0, raised) - right * raised))

    scale = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return np.asarray(np.where(is_held, weights, scale[0] * weights) + scale[1] * np.eye(len(weights))[-1])


def confidences(judged: Sequence[Judged], weights: Floats) -> Floats:
    """The confidence of each, 0 where nothing was found."""
    raised = [one.found @ weights[:-1] + weights[-1] if one.asked.evidence else -30.0 for one in judged]
    return np.asarray(1 / (1 + np.exp(-np.array(raised))))


# Measuring


def report(asked: Sequence[Asked], options: argparse.Namespace) -> None:
    """Prints the measures of left-out articles and the weights fitted on all."""
    articles = list(dict.fromkeys(one.article for one in asked))
    judged = {fold: some for fold in range(FOLDS) if (some := judge_fold(asked, set(articles[fold::FOLDS])))}
    left_out: list[tuple[Judged, float]] = []
    for fold, own in judged.items():
        others = [one for other, some in judged.items() if other != fold for one in some]
        left_out += zip(own, confidences(own, fitted(others)).tolist(), strict=True)
    folders = dict.fromkeys(one.folder for one in asked)
    for folder in folders:
        print_folder(folder, [(one, p) for one, p in left_out if one.asked.folder == folder], DEFAULT_MIN_CONFIDENCE)
    chooser, confidence = Chooser.fitted(asked), fitted([one for one, _ in left_out])
    both = chooser.weights.reshape(2, -1).round(3).T.tolist()
    print("WEIGHTS", dict(zip(FEATURES, map(tuple, both), strict=True)))
    print("CONFIDENCE_AT_ZERO", round(float(confidence[-1]), 3))
    print("CONFIDENCE_WEIGHTS", {k: round(float(v), 3) for k, v in zip(CONFIDENCE_WEIGHTS, confidence, strict=False)})
    if options.write:
        write_network(chooser.network, list(folders))
    if options.plot:
        draw(left_out, options.plot)


def judge_fold(asked: Sequence[Asked], left_out: Container[str]) -> list[Judged]:
    """The questions about some articles, judged by what has been fitted on the others; none for no article."""
    own = [one for one in asked if one.article in left_out]
    if not own:
        return []
    chooser = Chooser.fitted([one for one in asked if one.article not in left_out])
    return [judge(one, chooser) for one in own]


def write_network(fitted: Network, folders: Sequence[str]) -> None:
    """The network to the file beside the code that uses it, an input a line, with the command and the day."""
    command = f"python benchmarks/answers_fit.py {' '.join(folders)} --write, {datetime.now(UTC):%Y-%m-%d}"
    record = fitted.record(command)
    hidden = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in record.pop("hidden").items())
    rest = "".join(f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in record.items())
    place = Path(network.__file__).with_name(network.FILE)
    place.write_text(f'{{{rest}"hidden": {{\n{hidden}\n}}}}\n', encoding="utf-8")


def is_answerable(one: Judged) -> bool:
    """Whether the documents hold an answer."""
    return one.asked.has_answer and not one.asked.is_removed


def print_folder(folder: str, judged: Sequence[tuple[Judged, float]], least: float) -> None:
    """The measures of one set."""
    full = [(one, p) for one, p in judged if is_answerable(one)]
    given = [(one, p) for one, p in full if p >= least]
    removed = [(one, p) for one, p in judged if one.asked.is_removed and one.asked.has_answer]
    trick = [(one, p) for one, p in judged if not one.asked.is_removed and not one.asked.has_answer]

    def mean(values: Iterable[float]) -> float:
        return float(np.mean(list(values) or [np.nan]))

    print(f"{folder}: {len(full)} questions with an answer")
    for name, some in (("all", full), ("answered", given)):
        print(
            f"  {name:9} first {mean(one.first for one, _ in some):.3f}, shown {mean(one.anywhere for one, _ in some):.3f}, "
            f"sentences {mean(one.shown for one, _ in some):.2f}"
        )
    print(
        f"  answered: {len(given) / max(len(full), 1):.3f}, paragraph removed {mean(p >= least for _, p in removed):.3f}, "
        f"no answer in the set {mean(p >= least for _, p in trick):.3f}"
    )
    for share in LEAST_ANSWERED:
        bound = float(np.quantile([p for _, p in full], 1 - share))
        print(
            f"  {share:.0%} of those with an answer have {bound:.3f}, removed {mean(p >= bound for _, p in removed):.3f}"
        )
    for name, some in (
        ("with an answer", full),
        ("with and without their paragraph", full + removed),
        ("and with those that have no answer", full + trick),
    ):
        right = np.array([one.first for one, _ in some])
        print(f"  calibration error {name}: {calibration_error(np.array([p for _, p in some]), right):.3f}")


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """The expected calibration error (Naeini et al. 2015): what bins of confidence differ from the share that is right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(abs(confidence[bins == one].mean() - right[bins == one].mean()) * np.mean(bins == one) for one in set(bins))
    )


def draw(judged: Sequence[tuple[Judged, float]], place: Path) -> None:
    """How often answers of a confidence are right: a line for each set, of the questions that have an answer, asked with
    and without the paragraph that holds it, and a dotted one of all questions of a set that has others."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 6))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for folder in dict.fromkeys(one.asked.folder for one, _ in judged):
        own = [(one, p) for one, p in judged if one.asked.folder == folder]
        (line,) = axes.plot(*reliability([pair for pair in own if pair[0].asked.has_answer]), "o-", label=folder)
        if any(not one.asked.has_answer for one, _ in own):
            whole = [pair for pair in own if not pair[0].asked.is_removed]
            axes.plot(*reliability(whole), "o:", color=line.get_color(), label=f"{folder}, misleading questions too")
    axes.set(xlabel="confidence", ylabel="best sentence holds a known answer", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(place, dpi=100)


def reliability(judged: Sequence[tuple[Judged, float]]) -> tuple[Floats, Floats]:
    """The mean confidence of each bin with twenty questions or more, and the share of them that is right."""
    confidence = np.array([p for _, p in judged])
    right = np.array([one.first for one, _ in judged], np.float64)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    used = [one for one in range(BINS) if np.sum(bins == one) >= 20]
    means = np.array([[values[bins == one].mean() for one in used] for values in (confidence, right)])
    return means[0], means[1]


if __name__ == "__main__":
    main()
