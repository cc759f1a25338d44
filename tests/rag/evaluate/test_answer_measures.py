"""The measures of one answer: by hand, as SQuAD's scripts have them."""

from __future__ import annotations

import doctest

import pytest

import rag.evaluate.answer_measures
from rag.evaluate.answer_measures import contains, exact_match, f1


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "score"),
    [
        ("the Two minutes.", ["two minutes"], 1.0, 1.0),  # case, an article and a full stop do not count
        ("two or three minutes", ["two minutes", "minutes"], 0.0, 2 * 2 / (4 + 2)),  # the closest answer counts
        ("minutes minutes", ["two minutes"], 0.0, 0.5),  # a word counts as often as it stands in both
        ("coffee", ["tea"], 0.0, 0.0),
        ("", ["tea"], 0.0, 0.0),
        ("", [], 1.0, 1.0),  # rightly no answer
        ("tea", [], 0.0, 0.0),
        ("a an the", ["tea"], 0.0, 0.0),  # nothing is left of it
        ("tea", ["the", "..."], 0.0, 0.0),  # answers of which nothing is left are none
        ("", ["the"], 1.0, 1.0),
    ],
)
def test_exact_match_and_f1_are_those_of_squad(prediction: str, answers: list[str], exact: float, score: float) -> None:
    assert (exact_match(prediction, answers), f1(prediction, answers)) == (exact, pytest.approx(score))


def test_an_answer_is_contained_whatever_its_case_and_line_ends() -> None:
    assert contains("Steep it for\n TWO minutes.", ["two  minutes"])
    assert not contains("Steep it for twominutes.", ["two minutes"])
    assert not contains("anything", [])


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(rag.evaluate.answer_measures).failed == 0
