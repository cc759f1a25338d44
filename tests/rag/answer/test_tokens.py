"""What the tokens of a question and of its passages say of each sentence, by numbers that a reader can work out."""

from __future__ import annotations

import numpy as np
import pytest

from rag.answer.merit import FINER_OF_TOKENS, READ_FEATURES
from rag.answer.tokens import ALONE, Comparison, TokenWeights

WHO, KETTLE, BOILS = range(3)
WEIGHTS = TokenWeights(np.array([0.0, 1, 1]), np.array([0.0, 3, 1]), np.array([1.0, 0, 0]))
# Two sentences of two tokens in the first passage, one of a single token in the second; rows are the tokens of the question.
FIRST = np.array([[0.0, 0.2, 0.4, 0.1], [0.9, 0.1, 0.5, 0.3], [0.2, 0.1, 0.8, 0.2]], np.float32)
SECOND = np.array([[0.3], [0.2], [0.2]], np.float32)
OWN = [np.array([0, 1]), np.array([2, 3]), np.array([0])]


def compared(weights: TokenWeights = WEIGHTS) -> Comparison:
    return Comparison.of([FIRST, SECOND], OWN, np.array([0, 0, 1]), weights)


def column(name: str, comparison: Comparison | None = None) -> list[float]:
    found = (comparison or compared()).finer()
    return [round(value, 6) for value in found[:, FINER_OF_TOKENS.index(name)].tolist()]


def test_a_token_of_the_question_is_met_by_the_nearest_of_a_sentence() -> None:
    assert compared().met.round(6).tolist() == [[0.2, 0.4, 0.3], [0.9, 0.5, 0.2], [0.2, 0.8, 0.2]]
    features = dict(zip(READ_FEATURES[1:], compared().features().T.round(6).tolist(), strict=True))
    assert features["weakest"] == [0.2, 0.5, 0.2]
    assert features["asking"] == [0.2, 0.4, 0.3]
    assert features["passage"] == [0.875, 0.875, 0.2]
    assert features["length"] == [pytest.approx(np.log(3), abs=1e-6)] * 2 + [pytest.approx(np.log(2), abs=1e-6)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("content", [0.55, 0.65, 0.2]),
        ("rare", [0.725, 0.575, 0.2]),
        ("second", [0.9, 0.8, 0.2]),
        ("rarest", [0.9, 0.5, 0.2]),
        ("short", [-0.15, -0.3, -0.675]),
        ("top", [0.75, 0.25, 0.0]),
        ("relevance", [0.5, 0.55, 0.2]),
        ("irrelevance", [0.5, 0.0, 1.0]),
        ("token_before", [0.0, 0.3, 0.0]),
        ("token_after", [0.15, 0.0, 0.0]),
        ("lead", [0.675, 0.675, -0.675]),
    ],
)
def test_what_the_network_sees_of_tokens_is_what_the_table_says(name: str, values: list[float]) -> None:
    assert column(name) == values


def test_sentences_share_the_attention_of_each_token() -> None:
    attention = compared().attention
    assert attention.sum(axis=0).sum() == pytest.approx(3)  # every token stands in a sentence
    assert attention[KETTLE].argmax() == 0
    assert attention[BOILS].argmax() == 1


def test_a_question_without_content_words_and_a_passage_without_others_have_numbers_too() -> None:
    none = TokenWeights(*np.zeros((3, 3)))
    assert np.isfinite(compared(none).finer()).all()
    alone = Comparison.of([FIRST], OWN[:2], np.array([0, 0]), WEIGHTS)
    assert column("lead", alone) == [ALONE, ALONE]
    empty = Comparison.of([FIRST, SECOND], [*OWN[:2], np.array([], np.intp)], np.array([0, 0, 1]), WEIGHTS)
    assert np.isfinite(empty.finer()).all()
