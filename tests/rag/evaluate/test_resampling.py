"""Intervals, tests and curves: against SciPy, against every possible outcome, and by hand."""

from __future__ import annotations

import doctest
import itertools
import random

import numpy as np
import pytest
from scipy import stats

import rag.evaluate.abstention
import rag.evaluate.resampling
from rag.evaluate.abstention import RiskPoint, risk_area, risk_coverage, roc_area, roc_interval, thinned
from rag.evaluate.resampling import holm, mean_interval, randomization_test

DICE = random.Random(7)


def test_an_interval_of_a_mean_is_that_of_scipys_bootstrap() -> None:
    values = [DICE.random() for _ in range(80)]
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert mean_interval(values) == pytest.approx(theirs, abs=0.01)
    assert mean_interval(values) == mean_interval(values)  # drawn alike on every run


def test_an_interval_of_equal_values_has_no_width_and_one_of_nothing_is_nothing() -> None:
    assert mean_interval([0.5] * 9) == (0.5, 0.5)
    assert mean_interval([]) == (0, 0)


def exact_p_value(differences: list[float]) -> float:
    """Over all ways to turn the differences round."""
    observed = abs(sum(differences)) - 1e-12
    outcomes = [
        abs(sum(sign * one for sign, one in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    return sum(outcome >= observed for outcome in outcomes) / len(outcomes)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5])
def test_a_randomization_test_comes_close_to_the_one_over_all_outcomes(shift: float) -> None:
    differences = [DICE.uniform(-0.5, 0.5) + shift for _ in range(12)]
    assert randomization_test([*differences, 0.0, 0.0]) == pytest.approx(exact_p_value(differences), abs=0.02)


def test_runs_that_do_not_differ_are_not_told_apart_and_few_questions_never_are() -> None:
    assert randomization_test([0.0] * 50) == 1.0
    assert randomization_test([]) == 1.0
    assert randomization_test([-1.0] * 4) > 0.1  # 2 of 16 outcomes are as far from 0
    assert randomization_test([-1.0] * 12) < 0.01


def test_a_test_errs_as_seldom_as_it_says() -> None:
    dice = np.random.default_rng(3)
    found = [randomization_test(dice.normal(size=40)) for _ in range(200)]
    assert sum(p < 0.05 for p in found) <= 20  # of 200; 10 are expected


def test_holm_leaves_no_smaller_p_value_behind_a_larger_one() -> None:
    assert holm([0.04, 0.001, 0.5]) == pytest.approx([0.08, 0.003, 0.5])
    assert holm([]) == []


def test_the_area_counts_pairs() -> None:
    scores = [DICE.choice([0.1, 0.2, 0.3, 0.4]) for _ in range(60)]
    kinds = [DICE.random() < 0.5 for _ in scores]
    pairs = [
        (a > b) + (a == b) / 2
        for a, wanted in zip(scores, kinds, strict=True)
        for b, other in zip(scores, kinds, strict=True)
        if wanted and not other
    ]
    area = roc_area(scores, kinds)
    assert area == pytest.approx(sum(pairs) / len(pairs))
    interval = roc_interval(scores, kinds)
    assert interval is not None
    assert interval[0] < area < interval[1]  # type: ignore[operator]


def test_there_is_no_area_without_both_kinds() -> None:
    assert roc_area([0.1, 0.2], [True, True]) is None
    assert roc_interval([], []) is None


def test_the_risk_is_that_of_all_questions_down_to_a_threshold() -> None:
    curve = risk_coverage([0.2, 0.9, 0.5, 0.5], [True, True, False, True])
    assert curve == [RiskPoint(0.9, 0.25, 0), RiskPoint(0.5, 0.75, 1 / 3), RiskPoint(0.2, 1, 0.25)]
    assert risk_area(curve) == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.25)
    assert risk_coverage([], []) == []


def test_a_thinned_curve_keeps_its_end_and_steps_evenly() -> None:
    curve = risk_coverage([one / 1000 for one in range(1000)], [True] * 1000)
    some = thinned(curve, 4)
    assert [point.coverage for point in some] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert thinned(some, 4) == some


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (rag.evaluate.abstention, rag.evaluate.resampling):
        assert doctest.testmod(module).failed == 0
