"""How well a program knows what it does not know: certainties and right answers in, curves and areas out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.evaluate.resampling import statistic_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.evaluate.resampling import Interval

POINTS = 20  # of a curve that is printed
BINS = 10  # of probabilities


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One threshold: `coverage` is the share of questions whose certainty reaches it, `risk` the share of wrong ones of those."""

    threshold: float
    coverage: float
    risk: float


def roc_area(certainties: Sequence[float], positive: Sequence[bool]) -> float | None:
    """The probability that a positive one is more certain than a negative one, ties counting half; None without both.

    It is the area under the receiver operating characteristic: Hanley and McNeil, "The meaning and use of the area under
    a receiver operating characteristic (ROC) curve", 1982.

    >>> roc_area([0.9, 0.4, 0.4, 0.1], [True, True, False, False])
    0.875
    """
    scores, wanted = np.asarray(certainties, dtype=np.float64), np.asarray(positive, dtype=bool)
    if wanted.all() or not wanted.any():
        return None
    return float(areas(scores, wanted, np.arange(len(scores))[np.newaxis])[0])


def roc_interval(certainties: Sequence[float], positive: Sequence[bool]) -> Interval | None:
    """The percentile interval of the area, by the bootstrap over questions; None without questions of both kinds."""
    scores, wanted = np.asarray(certainties, dtype=np.float64), np.asarray(positive, dtype=bool)
    if wanted.all() or not wanted.any():
        return None
    return statistic_interval(len(scores), lambda rows: areas(scores, wanted, rows))


def areas(scores: NDArray[np.float64], wanted: NDArray[np.bool_], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The area of each resample of questions, (resamples,); a half where it has questions of one kind only."""
    levels, level_of = np.unique(scores, return_inverse=True)
    found = np.empty(len(rows))
    for number, row in enumerate(rows):
        drawn, is_wanted = level_of[row], wanted[row]
        positives = np.bincount(drawn[is_wanted], minlength=len(levels)).astype(np.float64)
        negatives = np.bincount(drawn[~is_wanted], minlength=len(levels)).astype(np.float64)
        pairs = positives.sum() * negatives.sum()
        below = np.cumsum(negatives) - negatives
        found[number] = (positives @ (below + negatives / 2)) / pairs if pairs else 0.5
    return found


def risk_coverage(certainties: Sequence[float], right: Sequence[bool]) -> list[RiskPoint]:
    """The risk at every coverage that a threshold can reach, the most certain questions first.

    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010. Questions of one certainty
    come together: no threshold divides them.
    """
    scores, good = np.asarray(certainties, dtype=np.float64), np.asarray(right, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], np.cumsum(~good[order])
    last_of_level = np.flatnonzero(np.append(scores[1:] != scores[:-1], [True])[: len(scores)]).tolist()
    return [
        RiskPoint(float(scores[row]), (row + 1) / len(scores), float(wrong[row]) / (row + 1)) for row in last_of_level
    ]


def risk_area(points: Sequence[RiskPoint]) -> float:
    """The area under a risk-coverage curve: the mean risk over all coverages; 0 is best.

    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019, where it is the
    mean over the questions. Within a step, whose questions come together, the risk is that of the whole step.

    >>> risk_area(risk_coverage([0.9, 0.8, 0.7, 0.6], [True, False, True, False]))
    0.3333333333333333
    """
    before = [0.0, *(point.coverage for point in points)]
    return sum((point.coverage - coverage) * point.risk for point, coverage in zip(points, before, strict=False))


def thinned(points: Sequence[RiskPoint], count: int = POINTS) -> list[RiskPoint]:
    """Some points of a curve, evenly by coverage, the last one always: enough to print."""
    if len(points) <= count:
        return list(points)
    wanted = np.linspace(0, 1, count + 1)[1:]
    coverages = np.array([point.coverage for point in points])
    return [points[row] for row in np.unique(np.searchsorted(coverages, wanted - 1e-9))]


def calibration_error(probabilities: Sequence[float], right: Sequence[bool]) -> float | None:
    """How far probabilities are from how often they come true, on average, 0 to 1; None of none.

    The expected calibration error: the probabilities are divided into BINS of equal width, and in each their mean is compared
    with the share that was right (Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015).

    >>> round(calibration_error([0.5, 0.5, 0.95], [True, False, True]), 4)
    0.0167
    """
    if not len(probabilities):
        return None
    given, came_true = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.minimum((given * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, given - came_true, minlength=BINS)
    return float(np.abs(gaps).sum() / len(given))
