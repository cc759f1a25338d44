"""The words of chunks on their way into the tables `lengths` and `postings`, and questions for them as bound values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from sql.base.sums import MASK_64
from sql.engine.statements import Statement
from sql.records import first_generation
from sql.search.search import NO_LIMIT, code_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sql.records import Candidate, ChunkWords, WordQuery
    from sql.search.request import SearchRequest
    from sql.search.search import VectorSearch

    Place = tuple[int, int, int]  # cell, generation and index of a chunk
    WordScores = Mapping[tuple[int, int], float]  # generation and index of a chunk: its BM25 score

PLACE_ROW = np.dtype(
    [
        ("cell", "<u4"),
        ("generation", "<u8"),
        ("chunk_index", "<u4"),
        ("upper", "<u8"),
        ("lower", "<u8"),
        ("score", "<f8"),
    ]
)
# BM25's constants: how fast repetitions of a term stop counting, and how much a long chunk is held back. Lucene's
# defaults; within 0.9..1.5 and 0.4..0.75 nDCG@10 moved by less than 0.015 on the sets of docs/hybrid.md.
K1 = 1.2
B = 0.75


def words_checksum(words: ChunkWords, chunk_index: int) -> int:
    """What `lengths.checksum` says of a chunk: sum of CRC32(term) * frequency * (chunk_index + 1), modulo 2^64."""
    return (
        sum(crc32(term.encode()) * frequency for term, frequency in words.terms.items()) * (chunk_index + 1) & MASK_64
    )


def length_columns(rows: Sequence[tuple[int, int, ChunkWords]]) -> dict[str, Any]:
    """The columns of `lengths` for chunks given as generation, index and words."""
    return {
        "generation": np.array([generation for generation, _, _ in rows], np.uint64),
        "chunk_index": np.array([chunk_index for _, chunk_index, _ in rows], np.uint32),
        "language": [words.language for _, _, words in rows],
        "terms": np.array([words.length for _, _, words in rows], np.uint32),
        "postings": np.array([len(words.terms) for _, _, words in rows], np.uint32),
        "checksum": np.array([words_checksum(words, chunk_index) for _, chunk_index, words in rows], np.uint64),
    }


def posting_columns(rows: Sequence[tuple[int, int, ChunkWords]]) -> dict[str, Any]:
    """The columns of `postings` for the same chunks; empty where none has a term."""
    counts = [len(words.terms) for _, _, words in rows]
    if not any(counts):
        return {}
    return {
        "term": [term for _, _, words in rows for term in words.terms],
        "generation": np.repeat(np.array([generation for generation, _, _ in rows], np.uint64), counts),
        "chunk_index": np.repeat(np.array([chunk_index for _, chunk_index, _ in rows], np.uint32), counts),
        "frequency": np.array([frequency for _, _, words in rows for frequency in words.terms.values()], np.uint32),
        "length": np.repeat(np.array([words.length for _, _, words in rows], np.uint32), counts),
    }


def bm25_statement(query: WordQuery, request: SearchRequest, epoch: int, near: Sequence[Candidate] = ()) -> Statement:
    """The search by words, ready to run or to be shown; the chunks `near` are ranked first."""
    values, condition = bm25_values(query, request.k, near) | {"epoch": epoch}, request.condition
    if query.words or request.per_document is not None:
        values |= form_values(query, request.per_document)
        if condition is None:
            return Statement("search_bm25_forms", values)
        return Statement("search_bm25_forms_filtered", values, condition)
    return (
        Statement("search_bm25", values) if condition is None else Statement("search_bm25_filtered", values, condition)
    )


def large_bm25_statement(
    query: WordQuery, request: SearchRequest, epoch: int, near: Sequence[Candidate], hidden: Sequence[int]
) -> Statement:
    """The search by words in a large table; what it finds may be a draft's."""
    values = bm25_values(query, request.k, near) | {"begun_later": first_generation(epoch), "dead": list(hidden)}
    if query.words or request.per_document is not None:
        return Statement("search_bm25_forms_large", values | form_values(query, request.per_document))
    return Statement("search_bm25_large", values)


def form_values(query: WordQuery, per_document: int | None) -> dict[str, Any]:
    """What a search by words with several forms, or for some chunks of a document only, binds besides."""
    words = query.words or range(1, len(query.terms) + 1)
    return {"words": list(words), "per_document": per_document or NO_LIMIT}


def bm25_values(query: WordQuery, k: int, near: Sequence[Candidate]) -> dict[str, Any]:
    """The values that every search by words binds."""
    return {
        "terms": list(query.terms),
        "weights": list(query.weights),
        "average_length": query.average_length,
        "k1": K1,
        "b": B,
        "k": min(k, NO_LIMIT),
        "near_generations": [hit.generation for hit in near],
        "near_indexes": [hit.chunk_index for hit in near],
    }


def word_hits_statement(scores: WordScores, request: SearchRequest) -> Statement:
    """The chunks that a search by words has found."""
    return Statement("bm25_hits", place_values(scores, request))


def places_statement(
    places: Sequence[tuple[int, int]], search: VectorSearch, cells: Sequence[int] | None = None
) -> Statement:
    """The inner products of a query and the chunks at some places, by their cells where these are known."""
    values: dict[str, Any] = {
        "generations": [generation for generation, _ in places],
        "indexes": [index for _, index in places],
    }
    values |= code_values(search.query, search.calibration)
    if cells is None:
        return Statement("score_places", values)
    return Statement("score_places_in_cells", values | {"cells": list(cells)})


def best_places(
    packed: bytes, scores: WordScores, request: SearchRequest, share: float, most: float
) -> list[tuple[Place, dict[str, float]]]:
    """The k best chunks from the rows of `score_places.sql` as RowBinary, with their scores; in the order of hybrid_hits.sql."""
    rows = np.frombuffer(packed, dtype=PLACE_ROW)
    by_words = np.array([scores[int(row["generation"]), int(row["chunk_index"])] for row in rows], dtype=np.float64)
    mixed = share * rows["score"] + (1 - share) * by_words / most
    # The engine orders UUIDs by their lower half first.
    order = np.lexsort((rows["chunk_index"], rows["upper"], rows["lower"], -mixed))
    taken: Counter[int] = Counter()
    found = []
    for row in order.tolist():
        cell, generation, index, *_, score = rows[row].item()
        taken[generation] += 1
        if taken[generation] <= (request.per_document or NO_LIMIT):
            parts = {"score": float(mixed[row]), "vector_score": score, "bm25_score": float(by_words[row])}
            found.append(((cell, generation, index), parts))
    return found[: request.k]


def cell_hits_statement(places: Sequence[Place]) -> Statement:
    """What is shown of the chunks at some places with their cells."""
    cells, generations, indexes = (list(column) for column in zip(*places, strict=True))
    return Statement("hits_in_cells", {"cells": cells, "generations": generations, "indexes": indexes})


def hybrid_hits_statement(scores: WordScores, search: VectorSearch, *, vector_share: float, most: float) -> Statement:
    """The chunks that either search has found, by both scores."""
    values = place_values(scores, search.request) | code_values(search.query, search.calibration)
    return Statement("hybrid_hits", values | {"vector_share": vector_share, "most": most})


def place_values(scores: WordScores, request: SearchRequest) -> dict[str, Any]:
    """Places and scores of chunks, as the statements that fetch them bind them."""
    return {
        "generations": [generation for generation, _ in scores],
        "indexes": [chunk_index for _, chunk_index in scores],
        "scores": list(scores.values()),
        "per_document": request.per_document or NO_LIMIT,
        "k": min(request.k, NO_LIMIT),
    }
