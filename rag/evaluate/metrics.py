"""Retrieval quality: rankings and relevance judgements in, nDCG, recall and reciprocal rank out.

The numbers are those of trec_eval, and so of published tables. Judgements (qrels) are grades, `{query: {document:
grade}}`: above 0 is relevant, 0 and below is not, a document without a grade is not. A mean is taken over the queries
that have a relevant document; one of those without a ranking counts as 0 (trec_eval's option -c).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import fsum, log2
from typing import TYPE_CHECKING, TypeAlias

from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable

Grades: TypeAlias = Mapping[str, int]
# Document ids, best first; or their scores, which are put in order by `ranked`.
Ranking: TypeAlias = Sequence[str] | Mapping[str, float]


def ranked(ranking: Ranking) -> list[str]:
    """Document ids, best first; equal scores in descending order of the id, as trec_eval does.

    >>> ranked({"a": 0.5, "b": 0.9, "c": 0.5})
    ['b', 'c', 'a']
    """
    if isinstance(ranking, Mapping):
        return sorted(ranking, key=lambda document: (ranking[document], document), reverse=True)
    documents = list(ranking)
    if len(set(documents)) < len(documents):
        twice = next(document for document in documents if documents.count(document) > 1)
        raise ValueError(f"the ranking holds {twice!r} more than once: it would be counted as found each time")
    return documents


def ndcg(ranking: Ranking, grades: Grades, k: int) -> float:
    """Normalized discounted cumulative gain of the first k: 1 for the best possible order, 0 if nothing is found.

    DCG@k = sum of grade / log2(rank + 1) over ranks 1..k, divided by the DCG@k of all grades in descending order
    (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002; gain = grade, as in trec_eval).

    >>> round(ndcg(["b", "x", "a"], {"a": 2, "b": 1}, 10), 4)
    0.7602
    """
    found = dcg([grades.get(document, 0) for document in ranked(ranking)[:k]])
    best = dcg(sorted(grades.values(), reverse=True)[:k])
    return found / best if best else 0.0


def dcg(grades: Sequence[int]) -> float:
    """Discounted cumulative gain of grades in the order of a ranking."""
    return fsum(max(grade, 0) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall(ranking: Ranking, grades: Grades, k: int) -> float:
    """The share of all relevant documents that is among the first k.

    >>> recall(["b", "x", "a"], {"a": 2, "b": 1}, 2)
    0.5
    """
    wanted = relevant(grades)
    return len(wanted.intersection(ranked(ranking)[:k])) / len(wanted) if wanted else 0.0


def reciprocal_rank(ranking: Ranking, grades: Grades, k: int) -> float:
    """1 / rank of the first relevant document, 0 if there is none among the first k; its mean is MRR@k.

    >>> reciprocal_rank(["x", "b", "a"], {"a": 2, "b": 1}, 10)
    0.5
    """
    wanted = relevant(grades)
    ranks = (rank for rank, document in enumerate(ranked(ranking)[:k], start=1) if document in wanted)
    return 1 / next(ranks, float("inf"))


def relevant(grades: Grades) -> set[str]:
    """The documents with a grade above 0."""
    return {document for document, grade in grades.items() if grade > 0}


MEASURES: dict[str, tuple[Callable[[Ranking, Grades, int], float], int]] = {
    "ndcg@10": (ndcg, 10),
    "recall@10": (recall, 10),
    "recall@100": (recall, 100),
    "mrr@10": (reciprocal_rank, 10),
}


def mean_measures(rankings: Mapping[str, Ranking], qrels: Mapping[str, Grades]) -> dict[str, float]:
    """The mean of every measure in MEASURES over the queries that have a relevant document.

    Rankings of other queries are ignored. Raises RagError where no query has a relevant document.
    """
    return {name: mean(of_query.values()) for name, of_query in query_measures(rankings, qrels).items()}


def query_measures(rankings: Mapping[str, Ranking], qrels: Mapping[str, Grades]) -> dict[str, dict[str, float]]:
    """Every measure in MEASURES of each query that has a relevant document; RagError where no query has one."""
    queries = judged_queries(qrels)
    if not queries:
        raise RagError("the judgements name no relevant document for any query: there is nothing to measure")
    order = {query: ranked(rankings.get(query, ())) for query in queries}
    return {
        name: {query: measure(order[query], qrels[query], k) for query in queries}
        for name, (measure, k) in MEASURES.items()
    }


def mean(values: Collection[float]) -> float:
    """The arithmetic mean, 0 of nothing."""
    return fsum(values) / len(values) if values else 0.0


def judged_queries(qrels: Mapping[str, Grades]) -> list[str]:
    """The queries that a mean is taken over: those with at least one relevant document."""
    return [query for query, grades in qrels.items() if relevant(grades)]
