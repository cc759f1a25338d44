"""A store in, its three losses out: what the int8 model, the int8 vectors and the search each cost, and all together.

The same questions are ranked four times over the same chunks, and each ranking differs from the one before in one thing:

    float32 model, float32 vectors  ->  int8 model, float32 vectors  ->  int8 vectors  ->  as the store searches

Each has a quality, and a loss is told as what is kept: the quality of one ranking divided by that of the one before. The
three quotients therefore multiply to the whole, the last quality divided by the first. Where judgements are given the
quality is nDCG@10. Otherwise it is recall@10 of what the first ranking finds, and the questions are chunks of the store,
each of which is not to be found itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.evaluate.metrics import ndcg, relevant
from rag.index.surroundings import embedded_text
from rag.int8.quantization import quantize_query
from sql.base.errors import RagError, StoreError, UsageError
from sql.base.settings import CODE_BITS
from sql.engine.statements import Statement
from sql.search.request import SearchRequest
from sql.search.search import code_values
from sql.store.stored import stored_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.evaluate.beir import Query
    from sql.store import Snapshot, Store

    Key = tuple[UUID, int]  # a document and the index of a chunk in it
    Ranking = list[Key]

CHUNKS_SAMPLED = 500
QUESTIONS = 100
TOP = 10
RANKED_CHUNKS = 100  # chunks of a ranking: enough for ten documents unless one document fills it
EVERY_CHUNK = 2**31
PAIRS_AT_ONCE = 20_000  # of a question and a chunk in one statement: each is a row of two vectors while it runs


@dataclass(frozen=True)
class Sample:
    """Chunks whose float32 vectors were kept, (chunks, dimensions): what three of the rankings are made of."""

    keys: list[Key]
    generations: list[int]
    sources: dict[Key, str]
    texts: list[str]
    vectors: NDArray[np.float32]

    def places(self) -> dict[str, list[int]]:
        """The chunks as parameters of a statement."""
        return {"generations": self.generations, "indexes": [index for _, index in self.keys]}


@dataclass(frozen=True)
class Question:
    """A question as both models see it, and what tells how well it was answered: grades of documents, or itself a chunk.

    vector: float32 (dimensions,), of the int8 model; float_vector: the same of the float32 model, if there is one.
    """

    vector: NDArray[np.float32]
    float_vector: NDArray[np.float32] | None
    itself: Key | None = None
    grades: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Judged:
    """Queries and the grades of documents, which are sources in the store."""

    queries: Sequence[Query]
    qrels: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Qualities:
    """The quality of each ranking, 0..1, in the order in which one thing after another becomes int8; None: not measured."""

    float_model: float | None
    float_vectors: float
    int8_vectors: float
    searched: float

    @property
    def model_kept(self) -> float | None:
        """What the int8 model keeps."""
        return None if self.float_model is None else quotient(self.float_vectors, self.float_model)

    @property
    def vectors_kept(self) -> float | None:
        """What int8 vectors keep."""
        return quotient(self.int8_vectors, self.float_vectors)

    @property
    def search_kept(self) -> float | None:
        """What the store's search keeps of the exact one."""
        return quotient(self.searched, self.int8_vectors)

    @property
    def kept(self) -> float | None:
        """What is left of the first ranking that was measured: the product of the others."""
        return quotient(self.searched, self.float_vectors if self.float_model is None else self.float_model)


def quotient(part: float, whole: float) -> float | None:
    """part / whole, None where nothing can be kept of nothing."""
    return part / whole if whole else None


def report_losses(
    store: Store,
    encoder: Encoder,
    load_floats: Callable[[], Encoder],
    judged: Judged | None = None,
    chunks: int = CHUNKS_SAMPLED,
) -> dict[str, Any]:
    """The three losses of a store, as `python -m rag report --json` prints them.

    `load_floats` loads the float32 model; where it raises RagError the model's loss is not measured, and the report
    says why. At most `chunks` chunks are sampled, all of them for judged queries. Raises StoreError where the store
    keeps no float32 vectors.
    """
    snapshot = store.snapshot()
    sample = read_sample(snapshot, encoder, EVERY_CHUNK if judged else chunks)
    stored = snapshot.chunk_count()
    if judged and len(sample.keys) < stored:
        raise UsageError(
            f"judged queries need the float32 vector of every chunk, and {len(sample.keys)} of {stored} were kept: "
            "give --db another place, or none"
        )
    try:
        floats, reason = load_floats(), None
    except RagError as error:
        floats, reason = None, str(error)
    float_vectors = floats.encode_documents(sample.texts) if floats else None
    questions = judged_questions(judged, encoder, floats) if judged else chunk_questions(sample, float_vectors)
    rankings = rank_everything(snapshot, sample, float_vectors, questions, whole=len(sample.keys) == stored)
    qualities = rankings.qualities(questions)
    vectors = vector_losses(snapshot)
    return {
        "chunks": stored,
        "sampled": len(sample.keys),
        "questions": len(questions),
        "measure": f"ndcg@{TOP}" if judged else f"recall@{TOP}",
        "model": {
            "kept": qualities.model_kept,
            "not_measured": reason,
            **model_losses(sample.vectors, float_vectors),
        },
        "vectors": {"kept": qualities.vectors_kept, **vectors},
        "search": {"kept": qualities.search_kept, f"recall@{TOP}": rankings.search_recall()},
        "kept": qualities.kept,
        "qualities": {
            "float32 model, float32 vectors": qualities.float_model,
            "int8 model, float32 vectors": qualities.float_vectors,
            "int8 model, int8 vectors": qualities.int8_vectors,
            "as searched": qualities.searched,
        },
    }


def read_sample(snapshot: Snapshot, encoder: Encoder, chunks: int) -> Sample:
    """Chunks whose float32 vectors were kept, the same ones on every run, each with the text that was embedded of it."""
    rows = snapshot.client.query(Statement("report_chunks", {"epoch": snapshot.epoch, "sample": chunks}))
    if not rows:
        raise StoreError(
            f"the store {snapshot.client.location} keeps no float32 vectors to compare with: ingest the documents with "
            "--keep-floats 10, say, into a new store, or give --eval"
        )
    keys = [(row["document_id"], row["chunk_index"]) for row in rows]
    documents = {one.document_id: one for one in snapshot.some_documents(list({document for document, _ in keys}))}
    return Sample(
        keys,
        [row["generation"] for row in rows],
        {key: row["source"] for key, row in zip(keys, rows, strict=True)},
        [embedded_text(stored_chunk(row, 0), documents[row["document_id"]], encoder) for row in rows],
        np.array([row["vector"] for row in rows], dtype=np.float32),
    )


def chunk_questions(sample: Sample, float_vectors: NDArray[np.float32] | None) -> list[Question]:
    """The first chunks of the sample as questions: what else is like this?"""
    return [
        Question(sample.vectors[row], None if float_vectors is None else float_vectors[row], itself=sample.keys[row])
        for row in range(min(QUESTIONS, len(sample.keys)))
    ]


def judged_questions(judged: Judged, encoder: Encoder, floats: Encoder | None) -> list[Question]:
    """Every query with a relevant document."""
    queries = [query for query in judged.queries if relevant(judged.qrels.get(query.id, {}))]
    if not queries:
        raise RagError("the judgements name no relevant document for any query: there is nothing to measure")
    texts = [query.text for query in queries]
    vectors, float_vectors = encoder.encode_queries(texts), floats.encode_queries(texts) if floats else None
    return [
        Question(vectors[row], None if float_vectors is None else float_vectors[row], grades=judged.qrels[query.id])
        for row, query in enumerate(queries)
    ]


@dataclass(frozen=True)
class Rankings:
    """What each way finds for each question, best first, and what exact int8 search finds in the whole store."""

    float_model: list[Ranking] | None
    float_vectors: list[Ranking]
    int8_vectors: list[Ranking]
    exact: list[Ranking]
    searched: list[Ranking]
    sources: Mapping[Key, str]
    whole: bool

    def search_recall(self) -> float:
        """How much of the exact search's first ten the store's search finds, over the whole store."""
        return mean([recall_of_first(found, exact) for found, exact in zip(self.searched, self.exact, strict=True)])

    def qualities(self, questions: Sequence[Question]) -> Qualities:
        """The quality of each way.

        Where the sample is not the whole store, the store's search is compared with the exact one over the whole store,
        and its quality is that of the int8 vectors in the same proportion.
        """
        truth = self.float_vectors if self.float_model is None else self.float_model

        def quality(rankings: list[Ranking]) -> float:
            return mean(
                [
                    recall_of_first(found, expected)
                    if question.grades is None
                    else graded(found, question.grades, self.sources)
                    for found, expected, question in zip(rankings, truth, questions, strict=True)
                ]
            )

        int8_vectors = quality(self.int8_vectors)
        return Qualities(
            None if self.float_model is None else quality(self.float_model),
            quality(self.float_vectors),
            int8_vectors,
            quality(self.searched) if self.whole else int8_vectors * self.search_recall(),
        )


def rank_everything(
    snapshot: Snapshot,
    sample: Sample,
    float_vectors: NDArray[np.float32] | None,
    questions: Sequence[Question],
    *,
    whole: bool,
) -> Rankings:
    """Every question, ranked in every way."""
    depth = RANKED_CHUNKS + 1  # one more: a chunk that asks is not to be found itself
    by_float_model = None if float_vectors is None else rank_by_float_model(sample, float_vectors, questions, depth)
    by_floats, by_codes = rank_sample(snapshot, sample, questions, depth)
    exact = by_codes if whole else []
    searched: list[Ranking] = []
    sources = dict(sample.sources)
    for question in questions:
        query = quantize_query(question.vector)
        if not whole:
            exactly = snapshot.search(query, SearchRequest(k=depth, strategy="exact"))
            exact.append(without([(hit.document_id, hit.chunk_index) for hit in exactly], question.itself))
        hits = snapshot.search(query, SearchRequest(k=depth))
        sources |= {(hit.document_id, hit.chunk_index): hit.source for hit in hits}
        searched.append(without([(hit.document_id, hit.chunk_index) for hit in hits], question.itself))
    return Rankings(by_float_model, by_floats, by_codes, exact, searched, sources, whole)


def rank_by_float_model(
    sample: Sample, float_vectors: NDArray[np.float32], questions: Sequence[Question], depth: int
) -> list[Ranking]:
    """The sample's chunks nearest to each question, all vectors being the float32 model's."""
    wide, rankings = float_vectors.astype(np.float64), []
    for question in questions:
        if question.float_vector is not None:
            order = np.argsort(-(wide @ question.float_vector), kind="stable")[:depth]
            rankings.append(without([sample.keys[row] for row in order], question.itself))
    return rankings


def rank_sample(
    snapshot: Snapshot, sample: Sample, questions: Sequence[Question], depth: int
) -> tuple[list[Ranking], list[Ranking]]:
    """The sample's chunks nearest to each question by float32 vectors and by int8 vectors, ranked in SQL."""
    calibration, places = snapshot.calibration(), sample.places()
    keys = {(generation, key[1]): key for generation, key in zip(sample.generations, sample.keys, strict=True)}
    by_floats: list[Ranking] = []
    by_codes: list[Ranking] = []
    at_once = max(1, PAIRS_AT_ONCE // len(sample.keys))
    for first in range(0, len(questions), at_once):
        asked = questions[first : first + at_once]
        values = [code_values(quantize_query(question.vector), calibration) for question in asked]
        floats = {"vectors": [question.vector.tolist() for question in asked]}
        codes = {
            "queries": [value["query"] for value in values],
            "query_sums": [value["query_sum"] for value in values],
            "query_offsets": [value["query_offset"] for value in values],
        }
        for statement, rankings in (
            (Statement("report_nearest_floats", places | floats | {"k": depth}), by_floats),
            (Statement("report_nearest_codes", places | codes | {"k": depth}), by_codes),
        ):
            found: list[Ranking] = [[] for _ in asked]
            for row in snapshot.client.query(statement):
                found[row["question"] - 1].append(keys[row["generation"], row["chunk_index"]])
            rankings += [without(one, question.itself) for one, question in zip(found, asked, strict=True)]
    return by_floats, by_codes


def without(ranking: Ranking, itself: Key | None) -> Ranking:
    """A ranking that does not hold the chunk that asks, cut to one length."""
    return [key for key in ranking if key != itself][:RANKED_CHUNKS]


def recall_of_first(found: Ranking, expected: Ranking) -> float:
    """The share of the first ten expected that is among the first ten found; 1 where nothing is expected."""
    wanted = set(expected[:TOP])
    return len(wanted.intersection(found[:TOP])) / len(wanted) if wanted else 1.0


def graded(found: Ranking, grades: Mapping[str, int], sources: Mapping[Key, str]) -> float:
    """nDCG@10 of the documents of a ranking of chunks, each by its best chunk."""
    return ndcg(list(dict.fromkeys(sources[key] for key in found)), grades, TOP)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def model_losses(vectors: NDArray[np.float32], float_vectors: NDArray[np.float32] | None) -> dict[str, float | None]:
    """Cosine between the int8 model's vectors (chunks, dimensions) and the float32 model's."""
    if float_vectors is None:
        return {"cosine_mean": None, "cosine_least": None}
    products = np.einsum("ij,ij->i", vectors, float_vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1) * np.linalg.norm(
        float_vectors.astype(np.float64), axis=1
    )
    cosines = products / np.maximum(lengths, 1e-30)
    return {"cosine_mean": float(cosines.mean()), "cosine_least": float(cosines.min())}


def vector_losses(snapshot: Snapshot) -> dict[str, Any]:
    """What codes lose against the float32 vectors that were kept: computed in SQL on the stored table."""
    calibration, collection = snapshot.calibration(), snapshot.collection
    per_dimension = calibration is not None and calibration.per_dimension
    values = {
        "epoch": snapshot.epoch,
        "bits": collection.vector_quantizer.bits if collection else CODE_BITS[0],
        "scales": calibration.scale.tolist() if calibration and per_dimension else [],
        "zero_points": calibration.zero_point.tolist() if calibration and per_dimension else [],
    }
    (row,) = snapshot.client.query(Statement("report_vectors", values))
    return {
        "quantizer": collection.quantizer if collection else "",
        "calibration": calibration.version if calibration else None,
        **row,
    }
