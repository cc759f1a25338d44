"""What a search did, and how good it is: the stages of one search, and the recall of a way to search, measured.

`explain_search` tells of every statement of a search: stage, time, rows and the SQL with its values, and of every hit
the scores it had in each stage. `verify_search` takes stored vectors as queries and counts how many of the chunks that
the exact search finds are found by another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from rag.int8.quantization import quantize_query
from rag.retrieve.rerank import reranked
from rag.retrieve.retriever import before_reranking
from sql.base.errors import RagError
from sql.search.search import Step
from sql.search.signs import sign_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.retrieve.retriever import Retriever
    from sql.records import Hit
    from sql.search.request import SearchRequest
    from sql.store import Snapshot

SAMPLE = 100  # stored vectors that are searched with


@dataclass(frozen=True, slots=True)
class Explanation:
    """One search: its statements in order, its hits, and for each hit in how many of `bits` sign bits it differs.

    `reranked` is how many chunks its reranker was given, and `rerank_seconds` how long that took; 0 without one.
    """

    steps: list[Step]
    hits: list[Hit]
    distances: list[int]
    bits: int
    reranked: int = 0
    rerank_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verification:
    """How a way to search compares with the exact one over `queries` stored vectors as queries.

    recall: the mean part of the exact k nearest (without the query's own chunk) that was found, 0 to 1; worst: the
    smallest of these parts; milliseconds: medians of the statements' times, in the engine and on the way.
    """

    mode: str
    k: int
    queries: int
    recall: float
    worst: float
    milliseconds: float
    exact_milliseconds: float


def explain_search(retriever: Retriever, snapshot: Snapshot, request: SearchRequest) -> Explanation:
    """Runs a search by a request with a vector, notes its steps, and asks for the distances of its hits."""
    if request.vector is None:
        raise ValueError("the distances of hits are those to a vector: the request needs one")
    steps, query = list[Step](), quantize_query(request.vector)
    hits, count, seconds = retriever.retrieve(snapshot, before_reranking(request), steps.append), 0, 0.0
    if request.reranker is not None:
        started, count = perf_counter(), len(hits)
        hits = reranked(request.reranker, request.question, hits)[: request.k]
        seconds = perf_counter() - started
    distances, bits = snapshot.hit_distances(query, hits), 8 * sign_bytes(len(query.codes))
    return Explanation(steps, hits, distances, bits, count, seconds)


def verify_search(snapshot: Snapshot, request: SearchRequest, sample: int = SAMPLE) -> Verification:
    """Recall and times of a request's strategy against the exact search; RagError for a store without chunks.

    Stored vectors take the place of the request's.
    """
    vectors, k = snapshot.sample_vectors(sample), request.k
    if not len(vectors):
        raise RagError(f"the store {snapshot.client.location} holds no chunks: there is nothing to verify")
    parts, times, exact_times, names = [], [], [], set()
    for vector in vectors.dequantize():
        query, steps = quantize_query(vector), list[Step]()
        started = perf_counter()
        hits = snapshot.search(query, replace(request, k=k + 1), steps.append)
        times.append(perf_counter() - started)
        started = perf_counter()
        exact = snapshot.search(query, replace(request, k=k + 1, strategy="exact"))
        exact_times.append(perf_counter() - started)
        names.add([step for step in steps if step.stage == "search"][-1].statement.name)
        parts.append(found_part(hits, exact))
    return Verification(
        mode="+".join(sorted(name.removeprefix("search_").replace("_", "-") for name in names)),
        k=k,
        queries=len(parts),
        recall=float(np.mean(parts)),
        worst=float(np.min(parts)),
        milliseconds=1000 * float(np.median(times)),
        exact_milliseconds=1000 * float(np.median(exact_times)),
    )


def found_part(hits: Sequence[Hit], exact: Sequence[Hit]) -> float:
    """Which part of the exact hits after the first, which is the query itself, is as good among the hits.

    A hit counts by its score, not by its name: of several chunks with the score of the last place any will do.
    """
    if len(exact) < 2:
        return 1.0
    limit = exact[-1].score
    good = sum(hit.score >= limit for hit in hits)
    return max(0, min(good, len(exact)) - 1) / (len(exact) - 1)
