"""The measures of retrieval: against ir_measures (trec_eval's code), and by hand."""

from __future__ import annotations

import doctest
import random
from math import log2
from typing import Any

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

import rag.evaluate.metrics
from rag.evaluate.metrics import judged_queries, mean_measures, ndcg, ranked, recall, reciprocal_rank
from sql.base.errors import RagError

THEIR_MEASURES = {"ndcg@10": nDCG @ 10, "recall@10": R @ 10, "recall@100": R @ 100, "mrr@10": RR @ 10}

Scores = dict[str, dict[str, float]]
Qrels = dict[str, dict[str, int]]


def random_trial(seed: int, *, ties: bool) -> tuple[Scores, Qrels]:
    """Scored rankings and graded judgements of 20 queries over 200 documents, some queries missing on either side."""
    dice = random.Random(seed)
    documents = [f"d{number}" for number in range(200)]
    qrels: Qrels = {}
    run: Scores = {}
    for number in range(20):
        if dice.random() < 0.9:
            grades = [dice.choice([0, 0, 1, 1, 2, 3]) for _ in range(dice.randint(1, 30))]
            qrels[f"q{number}"] = dict(zip(dice.sample(documents, len(grades)), grades, strict=True))
        if dice.random() < 0.9:
            found = dice.sample(documents, dice.randint(1, 150))
            scores = [dice.randint(0, 9) for _ in found] if ties else dice.sample(range(1000), len(found))
            run[f"q{number}"] = dict(zip(found, map(float, scores), strict=True))
    return run, {query: grades for query, grades in qrels.items() if any(grades.values())}


def theirs(run: Scores, qrels: Qrels, measures: dict[str, Any]) -> dict[str, float]:
    found = ir_measures.calc_aggregate(measures.values(), qrels, run)
    return {name: found[measure] for name, measure in measures.items()}


@pytest.mark.parametrize("seed", range(10))
def test_means_are_those_of_ir_measures(seed: int) -> None:
    run, qrels = random_trial(seed, ties=False)
    expected = theirs(run, qrels, THEIR_MEASURES)
    assert mean_measures(run, qrels) == pytest.approx(expected, abs=1e-9)
    assert mean_measures({query: ranked(scores) for query, scores in run.items()}, qrels) == pytest.approx(
        expected, abs=1e-9
    )


@pytest.mark.parametrize("seed", range(10))
def test_equal_scores_are_ordered_as_trec_eval_orders_them(seed: int) -> None:
    run, qrels = random_trial(seed, ties=True)
    # RR without a cutoff is trec_eval's own; ir_measures computes RR@10 with another program, which breaks ties
    # the other way round.
    expected = theirs(run, qrels, THEIR_MEASURES | {"mrr@10": RR})
    found = mean_measures(run, qrels) | {
        "mrr@10": sum(reciprocal_rank(run.get(query, {}), qrels[query], 200) for query in qrels) / len(qrels)
    }
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_measures_of_one_ranking_can_be_followed_by_hand() -> None:
    grades = {"a": 2, "b": 1, "c": 1, "d": 0}
    ranking = ["x", "a", "d", "b"]
    found = 2 / log2(3) + 1 / log2(5)
    best = 2 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert ndcg(ranking, grades, 10) == pytest.approx(found / best)
    assert ndcg(ranking, grades, 3) == pytest.approx(2 / log2(3) / best)
    assert ndcg(ranking, grades, 1) == 0
    assert recall(ranking, grades, 10) == 2 / 3
    assert recall(ranking, grades, 2) == 1 / 3
    assert reciprocal_rank(ranking, grades, 10) == 1 / 2
    assert reciprocal_rank(ranking, grades, 1) == 0


def test_the_best_order_scores_1_even_if_more_is_relevant_than_fits() -> None:
    grades = {f"d{number}": 1 for number in range(20)}
    assert ndcg(list(grades), grades, 10) == 1
    assert recall(list(grades), grades, 10) == 0.5


def test_a_negative_grade_counts_as_not_relevant() -> None:
    assert ndcg(["bad", "good"], {"bad": -1, "good": 1}, 10) == 1 / log2(3)
    assert recall(["bad"], {"bad": -1, "good": 1}, 10) == 0


def test_queries_without_a_ranking_count_as_0_and_those_without_a_relevant_document_not_at_all() -> None:
    qrels = {"found": {"a": 1}, "missing": {"b": 1}, "empty": {"c": 1}, "nothing relevant": {"d": 0}}
    rankings = {"found": ["a"], "empty": [], "nothing relevant": ["d"], "never judged": ["e"]}
    assert judged_queries(qrels) == ["found", "missing", "empty"]
    assert set(mean_measures(rankings, qrels).values()) == {1 / 3}


@pytest.mark.parametrize("qrels", [{}, {"q": {}}, {"q": {"a": 0}}])
def test_judgements_without_a_relevant_document_are_refused(qrels: Qrels) -> None:
    with pytest.raises(RagError, match="nothing to measure"):
        mean_measures({"q": ["a"]}, qrels)


def test_a_document_ranked_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' more than once"):
        ranked(["a", "b", "a"])


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(rag.evaluate.metrics).failed == 0
