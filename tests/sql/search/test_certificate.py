"""What a certificate says holds for the float32 vectors that nobody has any more: here somebody has kept them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from adversarial import hard_vectors
from support import chunks_of, identity, source_document

from rag.index.indexer import Indexer
from rag.index.vector_coder import code_vectors, fit_calibration
from rag.int8.quantization import quantize_query, quantize_vectors, scores, vector_scheme
from rag.retrieve.certified import certify_hits
from rag.retrieve.retriever import VECTOR_SHARE, Retriever
from rag.text.analyser import ANALYSER, chunk_words
from sql.base.errors import StoreError, UsageError
from sql.base.settings import GRANULARITIES, QUANTIZERS, RANGE_METHODS
from sql.records.calibration import Quantizer
from sql.search.certificate import Bounded, Certificate, QueryBound, certify, certify_words, open_ranks
from sql.search.request import SearchRequest
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sql.engine.statements import Statement
    from sql.records import Hit, QuantizedVectors

    Floats = NDArray[np.float64]

DIMENSIONS = 24
KINDS = [
    Quantizer(kind, granularity, ranges)
    for kind in QUANTIZERS
    for granularity in GRANULARITIES
    for ranges in RANGE_METHODS
]
KINDS += [
    Quantizer("asymmetric", ranges="mse", bits=4),
    Quantizer("symmetric", "dimension", bits=4),
    Quantizer("asymmetric", "collection", "percentile", bits=4),
]
STORED = [
    Quantizer("asymmetric"),
    Quantizer("symmetric", "dimension"),
    Quantizer("asymmetric", ranges="mse", bits=4),
    Quantizer("asymmetric", "collection", "percentile"),
]
WORDS = ["alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple"]


def crowd(rows: int, seed: int, spread: float = 0.05) -> NDArray[np.float32]:
    """Vectors of length 1 around a few centres, so near to each other that rounding changes their order."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((3, DIMENSIONS))
    vectors = centres[random.integers(3, size=rows)] + spread * random.standard_normal((rows, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def coded(vectors: NDArray[np.float32], quantizer: Quantizer) -> QuantizedVectors:
    """Vectors as codes; shared ranges are fitted on a third of them, so that numbers of the others are cut."""
    if not quantizer.calibrated:
        return quantize_vectors(vectors, vector_scheme(quantizer), quantizer.ranges)
    return code_vectors(vectors, fit_calibration(vectors[::3], quantizer, "a" * 64))


def truth_of(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> Floats:
    """The inner products of the floats."""
    return np.asarray(vectors.astype(np.float64) @ query.astype(np.float64))


def bounds_of(codes: QuantizedVectors, query: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Scores of codes, and how far they may be from those of the floats."""
    quantized = quantize_query(query)
    bound, found = QueryBound.of(query, quantized, codes.calibration), scores(quantized, codes)
    rows = zip(found, codes.errors(), codes.norms(), strict=True)
    return found, np.array([bound.radius(float(score), float(error), float(norm)) for score, error, norm in rows])


def certified(found: Floats, radius: Floats, documents: Sequence[int], k: int, per_document: int | None = None) -> Any:
    """The hits of an exact search, and their certificate."""
    order, counts = list[int](), dict[int, int]()
    for row in np.argsort(-found, kind="stable").tolist():
        counts[documents[row]] = counts.get(documents[row], 0) + 1
        if per_document is None or counts[documents[row]] <= per_document:
            order.append(row)
    hits = order[:k]
    every = [
        Bounded((0, row), UUID(int=documents[row]), float(found[row] - radius[row]), float(found[row] + radius[row]))
        for row in range(len(found))
    ]
    rivals = sorted(every, key=lambda one: -one.upper)[: k + 1 if per_document is None else len(every)]
    certificate = certify([every[row] for row in hits], rivals, k, per_document, all_rivals=len(rivals) == len(every))
    return hits, certificate


def assert_true(certificate: Certificate, hits: Sequence[int], truth: Floats, k: int) -> None:
    """Whatever the certificate says of hits, given by their rows, is so by the true scores of all rows."""
    for row, lower, upper, among in zip(hits, certificate.lower, certificate.upper, certificate.among_k, strict=True):
        assert lower <= truth[row] <= upper
        assert not among or (truth >= truth[row]).sum() <= k  # ties included, whoever comes first
    unsure = {first for first, _ in certificate.open}
    for rank in range(1, len(hits)):
        if rank not in unsure:
            assert truth[list(hits[:rank])].min() > truth[list(hits[rank:])].max()


def queries_among(vectors: NDArray[np.float32], count: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Queries near to vectors, some of them vectors themselves, and hard ones."""
    random = np.random.default_rng(seed)
    for number in range(count):
        row = vectors[random.integers(len(vectors))]
        if number % 4:
            row = row + (0.1 * float(np.abs(row).max()) * random.standard_normal(len(row))).astype(np.float32)
        yield row.astype(np.float32)


def search_and_check(quantizer: Quantizer, vectors: NDArray[np.float32], count: int, seed: int) -> tuple[int, int]:
    """Searches, each with its certificate compared with the truth; how many there were, and how many certain hits."""
    codes, certain = coded(vectors, quantizer), 0
    documents = [row // 3 for row in range(len(vectors))]
    for number, query in enumerate(queries_among(vectors, count, seed)):
        found, radius = bounds_of(codes, query)
        truth = truth_of(vectors, query)
        assert (np.abs(truth - found) <= radius).all()
        k = (1, 3, 10, 100)[number % 4]
        hits, certificate = certified(found, radius, documents, k)
        assert_true(certificate, hits, truth, k)
        certain += certificate.certain
    return count, certain


# The arithmetic


@pytest.mark.parametrize("quantizer", KINDS, ids=lambda quantizer: quantizer.name)
def test_no_certificate_is_wrong_about_float32_vectors(quantizer: Quantizer) -> None:
    for vectors in (hard_vectors(DIMENSIONS), crowd(60, 1)):
        assert search_and_check(quantizer, vectors, 12, 2)[1] > 0


@pytest.mark.slow
def test_no_certificate_of_ten_thousand_searches_is_wrong() -> None:
    searches = certain = 0
    for quantizer in KINDS:
        for seed in range(12):
            for vectors in (
                hard_vectors(DIMENSIONS, seed),
                crowd(150, seed),
                crowd(150, seed, 0.001),
                hard_vectors(3, seed),
            ):
                more = search_and_check(quantizer, vectors, 12, seed)
                searches, certain = searches + more[0], certain + more[1]
    assert searches >= 10_000
    assert certain > searches


@pytest.mark.parametrize("per_document", [1, 2])
def test_a_certain_hit_of_a_search_for_some_chunks_of_each_document_is_among_those_of_float32(
    per_document: int,
) -> None:
    certain = 0
    for seed in range(30):
        vectors = crowd(24, seed, 0.2)
        documents = [row % 5 for row in range(len(vectors))]
        query = next(queries_among(vectors, 1, seed))
        found, radius = bounds_of(coded(vectors, KINDS[0]), query)
        hits, certificate = certified(found, radius, documents, 4, per_document)
        right, _ = certified(truth_of(vectors, query), np.zeros(len(vectors)), documents, 4, per_document)
        assert {row for row, among in zip(hits, certificate.among_k, strict=True) if among} <= set(right)
        certain += certificate.certain
    assert certain > 30


def test_an_empty_store_and_a_query_of_zeros_have_certificates() -> None:
    assert certify([], [], 3, all_rivals=True) == Certificate((), (), (), ())
    bound = QueryBound.of(np.zeros(4, np.float32), quantize_query(np.zeros(4, np.float32)), None)
    assert bound.radius(0.0, 5.0, 7.0) == 0
    assert bound.radius(0.0, math.inf, 7.0) == math.inf


def bounded(row: int, lower: float, upper: float) -> Bounded:
    return Bounded((0, row), UUID(int=row), lower, upper)


def test_ranks_are_open_where_any_two_hits_across_them_may_change_places() -> None:
    hits = [bounded(0, 0.9, 1.0), bounded(1, 0.7, 0.8), bounded(2, 0.69, 0.71), bounded(3, 0.1, 0.2)]
    assert open_ranks(hits) == ((2, 3),)
    wide = [bounded(0, 0.7, 1.0), bounded(1, 0.79, 0.81), bounded(2, 0.5, 0.75), bounded(3, 0.1, 0.2)]
    assert open_ranks(wide) == ((1, 2), (2, 3))  # the first and the third may change places
    assert open_ranks([bounded(0, 0.5, 0.5), bounded(1, 0.5, 0.5)]) == ((1, 2),)  # a tie
    assert open_ranks(hits[:1]) == open_ranks([]) == ()


def test_a_hit_is_certain_as_long_as_fewer_than_k_others_may_lie_above_it() -> None:
    hits = [bounded(0, 0.8, 1.0), bounded(1, 0.6, 0.8)]
    near, far = bounded(2, -math.inf, 0.61), bounded(3, -math.inf, 0.59)
    assert certify(hits, [*hits, far], 2, all_rivals=False).among_k == (True, True)
    assert certify(hits, [*hits, near], 2, all_rivals=True).among_k == (True, False)
    assert certify(hits, [*hits, near], 3, all_rivals=True).among_k == (True, True)
    assert certify(hits, [*hits, near], 3, all_rivals=False).among_k == (True, False)  # another may be as near


def test_a_chunk_that_a_search_has_missed_makes_its_hits_uncertain() -> None:
    hits = [bounded(0, 0.8, 1.0), bounded(1, 0.6, 0.7)]
    missed = bounded(2, -math.inf, 2.0)
    found = certify(hits, [missed, *hits], 2, all_rivals=True)
    assert found.among_k == (True, False)
    assert found.outsider
    assert found.sentences() == [
        "1 of 2 hits is surely among the best 2 of float32 vectors: a chunk that is not shown comes so near to the others "
        "that rounding may have changed their places.",
        "Their order is that of float32 vectors.",
    ]


def test_hits_by_words_are_certain_as_vectors_have_no_part_in_them() -> None:
    assert certify_words([3.0, 2.0, 2.0]).record() == {
        "certain": 3,
        "open": [],
        "outsider": False,
        "unknown": 0,
        "hits": [{"lower": score, "upper": score, "certain": True} for score in (3.0, 2.0, 2.0)],
    }


# In a store


def written(folder: Path, quantizer: Quantizer, vectors: NDArray[np.float32]) -> Store:
    """A store of documents of three chunks, each with a few words."""
    store = Store.open(str(folder), write=True)
    store.prepare(identity(vectors.shape[1]), quantizer.name, ANALYSER)
    indexer, chunks = Indexer(store, identity(vectors.shape[1])), []
    indexer.fit_ranges(lambda: vectors[::3])
    for first in range(0, len(vectors), 3):
        rows = range(first, len(vectors))[:3]
        texts = [" ".join(WORDS[row % (2 + number) * number % 8] for number in range(1, 5)) for row in rows]
        draft = store.writer.begin(source_document(f"{first:05}.txt", metadata={"even": first % 2 == 0}))
        chunks += [(draft, chunk) for chunk in chunks_of(texts)]
    indexer.add(chunks, vectors, [chunk_words(chunk.text, "en") for _, chunk in chunks])
    store.writer.publish(list({draft.generation: draft for draft, _ in chunks}.values()))
    return store


def row_of(hit: Hit) -> int:
    return int(hit.source.removesuffix(".txt")) + hit.chunk_index


def check_store(store: Store, vectors: NDArray[np.float32], count: int) -> int:
    """Searches of a store by meaning and by both, exact and not, with their certificates compared with the truth."""
    retriever, snapshot, certain = Retriever(), store.snapshot(), 0
    for number, query in enumerate(queries_among(vectors, count, 5)):
        request = SearchRequest(
            f"{WORDS[number % 8]} {WORDS[number % 3]}",
            (1, 4, 10)[number % 3],
            vector=query,
            ranking=("vector", "hybrid")[number % 2],
            filter={"even": True} if number % 5 == 0 else None,
            strategy=("auto", "two-stage")[number // 2 % 2],
            candidates=12 if number // 2 % 2 else None,
            language="en",
        )
        found = retriever.find(snapshot, request)
        hits, certificate = found.hits, certify_hits(retriever, snapshot, request, found.hits, found.scored)
        in_sql = certify_hits(Retriever(looks_at_all=False), snapshot, request, hits)
        # A statement brings some rivals only: among thousands it may leave open what all of them decide, and no more.
        proven = zip(certificate.among_k, in_sql.among_k, strict=True)
        assert all(at_hand or not looked_up for at_hand, looked_up in proven)
        assert_same(certificate, in_sql if len(vectors) < 1000 else replace(in_sql, among_k=certificate.among_k))
        truth = truth_of(vectors, query)
        words = retriever.word_query(snapshot, request)
        if request.ranking == "hybrid" and words is not None:
            ranked = snapshot.rank_by_words(words, SearchRequest(request.question, len(vectors), language="en"))
            share, bm25 = VECTOR_SHARE, np.zeros(len(vectors))
            for hit in snapshot.word_hits(ranked, SearchRequest(request.question, len(vectors))):
                bm25[row_of(hit)] = hit.score
            truth = share * truth + (1 - share) * bm25 / words.most
        if request.filter:
            truth = np.where(np.arange(len(vectors)) // 3 % 2 == 0, truth, -np.inf)
        assert_true(certificate, [row_of(hit) for hit in hits], truth, request.k)
        certain += certificate.certain
    return certain


@pytest.mark.everyday("int4")
@pytest.mark.parametrize("quantizer", STORED[:3], ids=lambda quantizer: quantizer.name)
def test_no_certificate_of_a_store_is_wrong_about_float32_vectors(tmp_path: Path, quantizer: Quantizer) -> None:
    vectors = np.concatenate([crowd(60, 3), crowd(40, 4, 0.5), crowd(60, 3)[:5]])
    with written(tmp_path / "store", quantizer, vectors) as store:
        assert check_store(store, vectors, 8) > 0
        assert_view_agrees(store, vectors[7], 6)


def assert_same(at_hand: Certificate, in_sql: Certificate) -> None:
    """A certificate of scores that are at hand is the one that statements make of the whole table."""
    assert (at_hand.among_k, at_hand.open) == (in_sql.among_k, in_sql.open)
    assert at_hand.lower == pytest.approx(in_sql.lower, rel=1e-12)
    assert at_hand.upper == pytest.approx(in_sql.upper, rel=1e-12)
    assert at_hand.unknown == in_sql.unknown


@pytest.mark.parametrize("ranking", ["vector", "hybrid"])
def test_a_certificate_is_the_same_whether_the_scores_are_at_hand_or_looked_up(tmp_path: Path, ranking: str) -> None:
    with written(tmp_path / "store", KINDS[0], crowd(60, 3)) as store:
        snapshot = store.snapshot()
        cases = (("alder birch", None, None), ("fir", {"even": True}, None), ("oak", None, None), ("elm fir", None, 1))
        for question, given, per_document in cases:  # no chunk holds oak
            request = SearchRequest(question, 5, vector=crowd(1, 4)[0], filter=given, language="en", ranking=ranking)
            found = Retriever().find(snapshot, replace(request, per_document=per_document))
            assert (found.scored is None) == (ranking == "vector")
            certificates = [
                certify_hits(retriever, snapshot, replace(request, per_document=per_document), found.hits, scored)
                for retriever, scored in (
                    (Retriever(), found.scored),
                    (Retriever(), None),
                    (Retriever(looks_at_all=False), None),
                )
            ]
            assert_same(certificates[0], certificates[2])
            assert_same(certificates[1], certificates[2])


def test_a_certificate_in_a_small_store_asks_for_nothing_but_what_rounding_has_changed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(tmp_path / "store", KINDS[0], crowd(60, 3)) as store:
        snapshot, asked = store.snapshot(), list[str]()
        retriever, request = Retriever(), SearchRequest("alder", 5, vector=crowd(1, 4)[0], language="en")
        found = retriever.find(snapshot, request)
        for name in ("query", "query_packed"):
            run = getattr(store.client, name)

            def heard(statement: Statement, run: Callable[..., Any] = run) -> Any:
                asked.append(statement.name)
                return run(statement)

            monkeypatch.setattr(store.client, name, heard)
        for _ in range(2):
            certify_hits(retriever, snapshot, request, found.hits, found.scored)
    assert asked == ["rounding_errors"]


def test_a_hit_whose_chunk_is_gone_is_not_certified(tmp_path: Path) -> None:
    with written(tmp_path / "store", KINDS[0], crowd(9, 3)) as store:
        snapshot = store.snapshot()
        request = SearchRequest("alder", 2, vector=crowd(1, 4)[0], language="en")
        found = Retriever().find(snapshot, request)
        gone = [replace(found.hits[0], chunk_index=7)]
        with pytest.raises(StoreError, match="search again"):
            certify_hits(Retriever(), snapshot, request, gone, found.scored)


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", STORED, ids=lambda quantizer: quantizer.name)
def test_no_certificate_of_hundreds_of_searches_of_thousands_of_chunks_is_wrong(
    tmp_path: Path, quantizer: Quantizer
) -> None:
    vectors = np.concatenate([crowd(1500, 3), crowd(1500, 4, 0.5), crowd(1500, 3)[:50]])
    with written(tmp_path / "store", quantizer, vectors) as store:
        certain = check_store(store, vectors, 300)
    assert certain > (100 if quantizer.bits == 8 else 0)  # 4 bits round too much for vectors as near to each other


def assert_view_agrees(store: Store, query: NDArray[np.float32], k: int) -> None:
    """The view says what the certificate of an exact search says."""
    request = SearchRequest(k=k, vector=query, ranking="vector", strategy="exact")
    snapshot = store.snapshot()
    hits = Retriever().retrieve(snapshot, request)
    certificate = certify_hits(Retriever(), snapshot, request, hits)
    rows = store.client.rows(
        "SELECT source, chunk_index, lower, upper, certain FROM"
        " certified_chunks(epoch = {epoch:UInt64}, query = {query:Array(Float32)}, k = {k:UInt32})",
        {"epoch": snapshot.epoch, "query": query.tolist(), "k": k},
    )
    assert [(row["source"], row["chunk_index"]) for row in rows] == [(hit.source, hit.chunk_index) for hit in hits]
    assert [bool(row["certain"]) for row in rows] == list(certificate.among_k)
    for name, bounds in (("lower", certificate.lower), ("upper", certificate.upper)):
        assert [row[name] for row in rows] == pytest.approx(bounds, rel=1e-9)


def test_a_store_of_hard_vectors_has_no_wrong_certificate(tmp_path: Path) -> None:
    vectors = hard_vectors(DIMENSIONS)
    with written(tmp_path / "store", KINDS[0], vectors) as store:
        for query in (vectors[0], vectors[12], vectors[20]):
            request = SearchRequest(k=5, vector=query, ranking="vector")
            hits = Retriever().retrieve(store.snapshot(), request)
            certificate = certify_hits(Retriever(), store.snapshot(), request, hits)
            assert_true(certificate, [row_of(hit) for hit in hits], truth_of(vectors, query), 5)


def test_chunks_whose_errors_nobody_knows_make_nothing_certain_and_the_remedy_is_named(tmp_path: Path) -> None:
    vectors = crowd(30, 3)
    with written(tmp_path / "store", KINDS[0], vectors) as store:
        store.client.text("ALTER TABLE chunks UPDATE error = inf WHERE 1", None)
        request = SearchRequest(k=3, vector=vectors[0], ranking="vector")
        hits = Retriever().retrieve(store.snapshot(), request)
        certificate = certify_hits(Retriever(), store.snapshot(), request, hits)
        assert_view_agrees(store, vectors[0], 3)
    assert (certificate.certain, certificate.open) == (0, ((1, 2), (2, 3)))
    assert certificate.record()["hits"][0] == {"lower": None, "upper": None, "certain": False}
    assert certificate.sentences()[-1].startswith("The rounding errors of 6 or more chunks are not known")
    assert "--reembed" in certificate.sentences()[-1]


def test_k_greater_than_the_store_makes_every_hit_certain(tmp_path: Path) -> None:
    vectors = crowd(9, 3)
    with written(tmp_path / "store", KINDS[0], vectors) as store:
        request = SearchRequest(k=20, vector=vectors[0], ranking="vector")
        hits = Retriever().retrieve(store.snapshot(), request)
        assert certify_hits(Retriever(), store.snapshot(), request, hits).certain == 9
        assert_view_agrees(store, vectors[0], 20)


def test_what_no_score_explains_is_not_certified(tmp_path: Path) -> None:
    class Backwards:
        def scores(self, question: str, texts: Sequence[str]) -> list[float]:  # noqa: ARG002
            return [float(-row) for row in range(len(texts))]

    with written(tmp_path / "store", KINDS[0], crowd(9, 3)) as store:
        reranked = SearchRequest(vector=crowd(1, 1)[0], ranking="vector", reranker=Backwards())
        with pytest.raises(UsageError, match="the order of a reranker cannot be certified"):
            certify_hits(Retriever(), store.snapshot(), reranked, [])
        with pytest.raises(UsageError, match="compares vectors and the request has none"):
            certify_hits(Retriever(), store.snapshot(), SearchRequest("elm", ranking="vector"), [])
