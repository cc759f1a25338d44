"""Figures of questions in; how far their mean may be off, and whether two runs differ by more than chance, out.

Questions are drawn again with the same seed on every run: the same figures give the same intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Interval = tuple[float, float]

Floats: TypeAlias = NDArray[np.float64]

LEVEL = 0.95  # of an interval: the share of repetitions of the experiment whose interval would hold the true value
ALPHA = 1 - LEVEL  # of a test: the probability of calling a difference significant where there is none
RESAMPLES = 2_000
PERMUTATIONS = 10_000  # with them a p-value of 0.05 has a standard error of 0.002
AT_ONCE = 4_000_000  # numbers of a block of resamples: 32 MB
ROUNDING = 1e-12  # of sums that would be equal if they were exact


def mean_interval(values: Sequence[float]) -> Interval:
    """The percentile interval of a mean over questions, by the bootstrap.

    As many questions are drawn with replacement, RESAMPLES times: Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, section 13.3; for measures of retrieval Sakai, "Evaluating evaluation metrics based on the
    bootstrap", SIGIR 2006.
    """
    given = np.asarray(values, dtype=np.float64)
    return statistic_interval(len(given), lambda rows: given[rows].mean(axis=1))


def statistic_interval(count: int, statistic: Callable[[NDArray[np.int64]], Floats]) -> Interval:
    """The percentile interval of any statistic of questions; it gets their numbers, (resamples, count), for (resamples,).

    Of no question at all it is (0, 0).
    """
    if not count:
        return 0.0, 0.0
    draw = np.random.default_rng(0)
    found = [statistic(draw.integers(count, size=(size, count))) for size in block_sizes(RESAMPLES, AT_ONCE // count)]
    low, high = np.quantile(np.concatenate(found), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def randomization_test(differences: Sequence[float]) -> float:
    """The two-sided p-value of paired differences: how often their mean is as far from 0 if each may as well be turned round.

    Fisher's randomization test with the mean as its statistic, the one that Smucker, Allan and Carterette, "A comparison
    of statistical significance tests for information retrieval evaluation", CIKM 2007, recommend. The observed order
    counts as one of the drawn ones, so that no p-value is 0 (Phipson and Smyth 2010).
    """
    given = np.asarray(differences, dtype=np.float64)
    given = given[given != 0]  # a sign changes nothing of those
    if not len(given):
        return 1.0
    observed = abs(given.sum()) - ROUNDING
    draw = np.random.default_rng(0)
    extreme = 0
    for size in block_sizes(PERMUTATIONS, AT_ONCE // len(given)):
        signs = draw.integers(2, size=(size, len(given)), dtype=np.int8)
        # The sum with signs s of -1 and 1 is twice that of the chosen ones less the sum of all.
        sums = 2 * (signs.astype(np.float64) @ given) - given.sum()
        extreme += int(np.count_nonzero(np.abs(sums) >= observed))
    return (1 + extreme) / (1 + PERMUTATIONS)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, so adjusted that calling those below ALPHA significant errs at all only so often.

    Holm, "A simple sequentially rejective multiple test procedure", 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted


def block_sizes(count: int, at_once: int) -> list[int]:
    """A number of resamples in blocks that fit into memory."""
    size = max(1, at_once)
    return [min(size, count - first) for first in range(0, count, size)]
