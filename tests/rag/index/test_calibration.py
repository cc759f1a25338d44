"""Ranges that vectors share: the same scores in SQL and NumPy, versions that are never lost, and a warning of drift."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import (
    PROJECT,
    QUANTIZER,
    chunks_of,
    hash_encoder,
    identity,
    search,
    source_document,
    sync_with,
    visible_texts,
    write_tiny_checkpoint,
)

from ingest.command_line import command as ingest_command
from ingest.walk import walk
from rag.index.pipeline import LEAST_CHUNKS_PER_WINDOW
from rag.index.vector_coder import (
    FEW_VECTORS,
    VectorCoder,
    code_vectors,
    count_saturated,
    drift_threshold,
    fit_calibration,
    outside,
)
from rag.int8.quantization import ASYMMETRIC, SYMMETRIC, quantize_query, scores, vector_scheme
from sql.base.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE, InvalidVector, StoreError, StoreMismatch, UsageError
from sql.base.settings import GRANULARITIES, QUANTIZERS, RANGE_METHODS
from sql.base.terminal import run_command
from sql.records import QuantizedVectors, fold_query
from sql.records.calibration import Calibration, Quantizer
from sql.search.request import SearchRequest
from sql.store import ChunkBatch, Draft, Store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ingest.synchronize import Summary
    from rag.text.tokenizer import Tokenizer

DIMENSIONS = 8
KINDS = [Quantizer(kind, granularity) for kind in QUANTIZERS for granularity in GRANULARITIES]
KINDS += [Quantizer("asymmetric", bits=4), Quantizer("symmetric", "dimension", bits=4)]
SHARED = [quantizer for quantizer in KINDS if quantizer.calibrated]
unhurried = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def uneven_vectors(rows: int, seed: int = 0, factor: float = 1.0) -> NDArray[np.float32]:
    """Vectors whose dimensions have ranges of their own: one is narrow, one wide, one never negative."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((rows, DIMENSIONS)) * np.array([0.01, 10, 1, 1, 0.5, 2, 1, 3])
    vectors[:, 2] = np.abs(vectors[:, 2]) + 1
    return (factor * vectors).astype(np.float32)


def coder_of(store: Store) -> VectorCoder:
    collection = store.collection()
    assert collection is not None
    return VectorCoder.for_store(store, collection.encoder)


def open_store(folder: Path, quantizer: Quantizer) -> Store:
    store = Store.open(str(folder), write=True)
    store.prepare(identity(), quantizer.name)
    return store


def publish(store: Store, name: str, vectors: QuantizedVectors) -> Draft:
    draft = store.writer.begin(source_document(name))
    texts = [f"{name} {row}" for row in range(len(vectors))]
    store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors))
    store.writer.publish([draft])
    return draft


def select(store: Store, sql: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.client.text(sql, "JSONEachRow").splitlines()]


# The names a store remembers


@pytest.mark.parametrize("kind", QUANTIZERS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("ranges", RANGE_METHODS)
def test_a_quantizer_is_found_again_by_its_name(kind: str, granularity: str, ranges: str) -> None:
    quantizer = Quantizer(kind, granularity, ranges)
    assert Quantizer.from_name(quantizer.name) == quantizer
    words = quantizer.options.split()
    assert words[:2] == ["--quantizer", kind]
    assert ("--granularity" in words) == (granularity != "vector")
    assert ("--range" in words) == (ranges != "minmax")


def test_the_default_quantizer_keeps_the_name_it_always_had() -> None:
    assert Quantizer("asymmetric").name == QUANTIZER


@pytest.mark.parametrize("name", ["asymmetric int8 per galaxy", "ternary", "asymmetric int8 per vector, odd ranges"])
def test_a_quantizer_of_another_program_is_refused(name: str) -> None:
    with pytest.raises(StoreMismatch, match=f"quantizer '{name}' is not known here: install a newer"):
        Quantizer.from_name(name)


# The laws


@pytest.mark.parametrize("ranges", RANGE_METHODS)
@pytest.mark.parametrize("quantizer", SHARED, ids=lambda one: one.name)
def test_a_number_within_the_ranges_is_restored_within_half_a_step(quantizer: Quantizer, ranges: str) -> None:
    vectors = uneven_vectors(300)
    calibration = fit_calibration(vectors, replace(quantizer, ranges=ranges), "a" * 64)
    coded = code_vectors(vectors, calibration)
    beyond = outside(vectors, calibration.low, calibration.high, symmetric=quantizer.kind == "symmetric")
    assert count_saturated(vectors, calibration) == beyond.sum()
    assert calibration.saturated_share == pytest.approx(beyond.mean())
    error = np.abs(coded.dequantize().astype(np.float64) - vectors)
    half_a_step = np.broadcast_to(coded.step_widths() * (0.5 + 1e-4), vectors.shape)
    assert (error <= half_a_step)[~beyond].all()
    if ranges == "minmax":
        assert not beyond.any()


def test_a_range_for_each_dimension_can_be_followed_by_hand() -> None:
    sample = np.array([[-1.27, 0], [1.27, 254]], dtype=np.float32)
    calibration = fit_calibration(sample, Quantizer("symmetric", "dimension"), "a" * 64)
    assert calibration.scale.tolist() == pytest.approx([0.01, 2])
    assert calibration.zero_point.tolist() == [0, 0]
    coded = code_vectors(np.array([[0.5, -100], [9, 9]], dtype=np.float32), calibration)
    assert coded.codes.tolist() == [[50, -50], [127, 4]]  # 9 is far beyond 1.27 and saturates
    assert (coded.scale.tolist(), coded.zero_point.tolist()) == ([1, 1], [0, 0])
    assert coded.dequantize().tolist() == [pytest.approx([0.5, -100]), pytest.approx([1.27, 8])]
    query = quantize_query(np.array([1, 0.5], dtype=np.float32))
    folded, offset = fold_query(query, calibration)  # 1 * 0.01 and 0.5 * 2 are in the proportion 1 to 100
    assert folded.codes.tolist() == [20, 2047]
    assert offset == 0
    assert scores(query, coded) == pytest.approx([0.5 - 50, 1.27 + 4], rel=0.01)


def test_one_range_for_the_collection_is_that_of_all_numbers() -> None:
    calibration = fit_calibration(uneven_vectors(50), Quantizer("asymmetric", "collection"), "a" * 64)
    coded = code_vectors(uneven_vectors(3), calibration)
    assert np.unique(coded.scale).tolist() == calibration.scale.tolist()
    assert np.unique(coded.zero_point).tolist() == calibration.zero_point.tolist()


@pytest.mark.parametrize("quantizer", SHARED, ids=lambda one: one.name)
@settings(unhurried)
@given(factor=st.floats(1, 1e6), sign=st.sampled_from([-1.0, 1.0]))
def test_what_lies_beyond_shared_ranges_saturates_and_never_wraps(
    quantizer: Quantizer, factor: float, sign: float
) -> None:
    calibration = fit_calibration(uneven_vectors(20), quantizer, "a" * 64)
    far = np.full((1, DIMENSIONS), sign * 100 * factor, dtype=np.float32)
    scheme = vector_scheme(quantizer)
    expected = scheme.hi if sign > 0 else scheme.lo
    assert code_vectors(far, calibration).codes.tolist() == [[expected] * DIMENSIONS]
    assert count_saturated(far, calibration) == DIMENSIONS


def test_a_calibration_is_the_same_for_the_same_sample_and_another_for_another() -> None:
    quantizer = Quantizer("asymmetric", "dimension")
    first, again = (fit_calibration(uneven_vectors(20), quantizer, "a" * 64) for _ in range(2))
    assert first.same_fit(again)
    assert first.sample_hash == again.sample_hash
    assert not first.same_fit(fit_calibration(uneven_vectors(20, seed=1), quantizer, "a" * 64))
    assert not first.same_fit(fit_calibration(uneven_vectors(20), quantizer, "b" * 64))


def test_what_cannot_be_calibrated_or_coded_is_refused() -> None:
    quantizer = Quantizer("asymmetric", "dimension")
    with pytest.raises(InvalidVector, match="only finite numbers"):
        fit_calibration(np.array([[np.nan, 1]], dtype=np.float32), quantizer, "")
    calibration = fit_calibration(uneven_vectors(5), quantizer, "")
    with pytest.raises(InvalidVector, match="only finite numbers"):
        code_vectors(np.full((1, DIMENSIONS), np.inf, dtype=np.float32), calibration)
    with pytest.raises(InvalidVector, match="cannot be those of 3 dimensions"):
        QuantizedVectors(
            np.zeros((1, 3), dtype=np.int8), np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int8), calibration
        )


# SQL and NumPy


@pytest.mark.everyday("asymmetric int8 per dimension", "symmetric int4 per dimension")
@pytest.mark.parametrize("queries", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("quantizer", KINDS, ids=lambda one: one.name)
def test_scores_vectors_and_norms_in_sql_are_those_of_numpy(quantizer: Quantizer, tmp_path: Path, queries: int) -> None:
    vectors = uneven_vectors(40)
    with open_store(tmp_path / "store", quantizer) as store:
        coder = coder_of(store)
        if coder.needs_sample:
            coder.calibrate(vectors[:30])
        coded = coder.encode(vectors)
        publish(store, "a.txt", coded)
        epoch = store.epoch()
        for seed in range(queries):
            vector = uneven_vectors(1, seed + 10)[0]
            query = quantize_query(vector)
            expected = scores(query, coded)
            order = sorted(range(len(coded)), key=lambda row: (-expected[row], row))
            hits = search(store, query, 50)
            assert [(hit.chunk_index, hit.score) for hit in hits] == [(row, expected[row]) for row in order]
            assert store.snapshot().search_documents(query, SearchRequest(k=5)) == [("a.txt", expected[order[0]])]
            seen = select(
                store,
                f"SELECT chunk_index, score FROM nearest_chunks(epoch = {epoch}, query = {vector.tolist()}) "
                "ORDER BY score DESC, chunk_index",
            )
            assert [(row["chunk_index"], row["score"]) for row in seen] == [(row, expected[row]) for row in order]
            # A score is the product of the restored vectors, but for half a step of the query, and half one folded.
            restored, folded = coded.dequantize().astype(np.float64), fold_query(query, coded.calibration)[0]
            room = query.scale / 2 * np.abs(restored).sum(axis=1)
            if coded.dimension_ranges is not None:
                room += folded.scale / 2 * np.abs(coded.steps()).sum(axis=1)
            assert (np.abs(expected - restored @ vector) <= room * 1.0001).all()
        rows = select(store, f"SELECT vector FROM live_vectors(epoch = {epoch}) ORDER BY chunk_index")
        assert [np.float32(row["vector"]).tolist() for row in rows] == coded.dequantize().tolist()
        lengths = select(store, f"SELECT norm FROM live_chunks(epoch = {epoch}) ORDER BY chunk_index")
        assert [row["norm"] for row in lengths] == pytest.approx(np.linalg.norm(coded.dequantize(), axis=1), rel=1e-5)
        assert store.snapshot().damaged_documents() == []


@settings(unhurried)
@given(seed=st.integers(0, 2**32), dimensions=st.integers(1, 64), kind=st.sampled_from(QUANTIZERS))
def test_a_folded_query_gives_the_product_of_the_restored_vectors(seed: int, dimensions: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    vectors = (random.standard_normal((6, dimensions)) * random.uniform(0.1, 10, dimensions)).astype(np.float32)
    coded = code_vectors(vectors, fit_calibration(vectors, Quantizer(kind, "dimension"), ""))
    query = quantize_query(random.standard_normal(dimensions).astype(np.float32))
    folded, offset = fold_query(query, coded.calibration)
    # The slow and obvious form: codes without their zero-point, times the folded codes.
    obvious = (coded.steps().astype(np.int64) * folded.codes.astype(np.int64)).sum(axis=1) * folded.scale
    assert scores(query, coded) == pytest.approx(obvious, rel=1e-12)
    assert isinstance(offset, int)
    exact = coded.dequantize().astype(np.float64) @ (query.codes * query.scale)
    widest = (coded.step_widths() * np.abs(coded.steps())).sum(axis=1) * np.abs(query.codes * query.scale).max()
    assert (np.abs(scores(query, coded) - exact) <= widest * 1e-3).all()


# The rows of a store


def test_a_calibration_is_stored_with_its_version_model_method_sample_and_hash(tmp_path: Path) -> None:
    quantizer = Quantizer("asymmetric", "dimension", "percentile")
    with open_store(tmp_path / "store", quantizer) as store:
        stored = coder_of(store).calibrate(uneven_vectors(30))
        assert store.snapshot(store.epoch()).calibration() is None  # nothing has been published with it
        draft = publish(store, "a.txt", code_vectors(uneven_vectors(3), stored))
        assert draft.calibration == 1
        found = store.snapshot(store.epoch()).calibration()
        (row,) = select(store, "SELECT * FROM calibrations")
    assert isinstance(found, Calibration)
    assert found.row(1) == stored.row(1)
    assert {name: row[name] for name in ("version", "granularity", "scheme", "ranges", "sample_count")} == {
        "version": 1,
        "granularity": "dimension",
        "scheme": "asymmetric",
        "ranges": "percentile",
        "sample_count": 30,
    }
    assert (row["model_sha256"], row["sample_hash"]) == ("a" * 64, stored.sample_hash)


def test_the_same_fit_keeps_its_version_and_another_gets_the_next(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", Quantizer("asymmetric", "dimension")) as store:
        versions = [coder_of(store).calibrate(uneven_vectors(30, seed)).version for seed in (0, 0, 1, 1)]
        assert versions == [1, 1, 2, 2]
        assert select(store, "SELECT version FROM calibrations ORDER BY version") == [{"version": 1}, {"version": 2}]


def test_codes_of_two_calibrations_are_never_visible_together(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", Quantizer("asymmetric", "dimension")) as store:
        first = coder_of(store).calibrate(uneven_vectors(30))
        publish(store, "a.txt", code_vectors(uneven_vectors(3), first))
        second = coder_of(store)
        second.calibration = None
        newer = second.calibrate(uneven_vectors(30, seed=1))
        with pytest.raises(
            StoreError, match=r"calibration 2 cannot be published beside older ones of 1 document \(.*a\.txt"
        ):
            publish(store, "b.txt", code_vectors(uneven_vectors(3), newer))
        assert set(visible_texts(store)) == {"a.txt"}
        publish(store, "a.txt", code_vectors(uneven_vectors(4), newer))  # replaces all that was coded with the first
        used = store.snapshot(store.epoch()).calibration()
        assert used is not None
        assert used.version == 2
        assert store.snapshot(1).calibration() is not None
        assert len(select(store, "SELECT version FROM calibrations")) == 2


def test_a_calibration_of_another_model_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", Quantizer("asymmetric", "dimension")) as store:
        foreign = fit_calibration(uneven_vectors(30), Quantizer("asymmetric", "dimension"), "f" * 64)
        with pytest.raises(
            StoreMismatch, match=r"fitted on vectors of the weights ffffffff .* holds those of aaaaaaaa"
        ):
            store.writer.add_calibration(foreign)
        assert select(store, "SELECT version FROM calibrations") == []
        stored = coder_of(store).calibrate(uneven_vectors(30))
        publish(store, "a.txt", code_vectors(uneven_vectors(3), stored))
        store.client.insert("calibrations", {name: [value] for name, value in foreign.row(2).items()})
        store.client.text("INSERT INTO manifest SELECT * REPLACE (9 AS epoch, 2 AS calibration) FROM manifest", None)
        with pytest.raises(StoreMismatch, match="fitted on vectors of the weights ffffffff"):
            search(store, quantize_query(uneven_vectors(1)[0]), 1)


# A run over files


def run(
    store: Store, tokenizer: Tokenizer, folder: Path, quantizer: Quantizer, batches_left: int | None = None, **how: Any
) -> Summary:
    encoder, _ = hash_encoder(tokenizer, batches_left)
    store.prepare(encoder.identity, quantizer.name)
    return sync_with(store, encoder, walk([str(folder)]), **how)


def write_words(folder: Path, name: str, lines: int) -> None:
    folder.mkdir(exist_ok=True)
    words = ("cat", "dog", "mat", "one", "two", "three")
    text = "\n\n".join(
        f"# {name} {line}\n\n{' '.join(words[(line + n) % 6] for n in range(5))}" for line in range(lines)
    )
    (folder / f"{name}.md").write_text(text)


@pytest.mark.parametrize("granularity", ["dimension", "collection"])
def test_a_run_fits_ranges_once_and_later_runs_use_them(tmp_path: Path, tokenizer: Tokenizer, granularity: str) -> None:
    folder, quantizer = tmp_path / "docs", Quantizer("asymmetric", granularity)
    write_words(folder, "a", 40)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        first = run(store, tokenizer, folder, quantizer)
        assert first.notes == [
            f"calibration 1 was fitted on {first.chunks} vectors, fewer than {FEW_VECTORS}: later documents may lie "
            "outside its ranges, run again with --recalibrate when there are more"
        ]
        write_words(folder, "b", 40)
        second = run(store, tokenizer, folder, quantizer)
        assert second.chunks
        assert select(store, "SELECT version, sample_count FROM calibrations") == [
            {"version": 1, "sample_count": first.chunks}
        ]
        assert run(store, tokenizer, folder, quantizer).notes == []
        assert [row["calibration"] for row in select(store, "SELECT calibration FROM manifest")] == [1, 1]


def test_an_empty_folder_fits_nothing_and_the_next_documents_do(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder, quantizer = tmp_path / "docs", Quantizer("asymmetric", "dimension")
    folder.mkdir()
    (folder / "empty.txt").write_text("")
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert run(store, tokenizer, folder, quantizer).notes == []
        assert search(store, quantize_query(np.ones(DIMENSIONS, dtype=np.float32)), 3) == []
        write_words(folder, "a", 3)
        assert run(store, tokenizer, folder, quantizer).notes != []
        assert search(store, quantize_query(np.ones(DIMENSIONS, dtype=np.float32)), 3) != []


def test_ranges_fitted_again_code_every_document_and_appear_all_at_once(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder, quantizer = tmp_path / "docs", Quantizer("asymmetric", "dimension")
    write_words(folder, "a", 3)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        run(store, tokenizer, folder, quantizer)
        write_words(folder, "b", 60)
        run(store, tokenizer, folder, quantizer)
        before, texts = store.epoch(), visible_texts(store)
        again = run(store, tokenizer, folder, quantizer, recalibrate=True)
        assert (again.indexed, store.epoch()) == (2, before + 1)
        assert visible_texts(store) == texts
        used = store.snapshot(store.epoch()).calibration()
        assert used is not None
        assert (used.version, used.sample_count) == (2, again.chunks)
        old = store.snapshot(before).calibration()
        assert old is not None
        assert old.version == 1  # a reader that began before still finds what it needs
        assert store.snapshot().damaged_documents() == []


def test_ranges_cannot_be_fitted_again_without_all_documents_or_where_none_are_shared(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    folder = tmp_path / "docs"
    write_words(folder, "a", 3)
    write_words(tmp_path / "others", "b", 3)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        run(store, tokenizer, folder, Quantizer("asymmetric", "dimension"))
        epoch = store.epoch()
        with pytest.raises(UsageError, match=r"--recalibrate needs every document of the store, and 1 cannot be found"):
            run(store, tokenizer, tmp_path / "others", Quantizer("asymmetric", "dimension"), recalibrate=True)
        assert store.epoch() == epoch
    with Store.open(str(tmp_path / "other store"), write=True) as store:
        run(store, tokenizer, folder, Quantizer("asymmetric"))
        with pytest.raises(UsageError, match="each vector has a range of its own"):
            run(store, tokenizer, folder, Quantizer("asymmetric"), recalibrate=True)


def test_a_run_that_ends_early_leaves_no_half_calibration(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder, quantizer = tmp_path / "docs", Quantizer("asymmetric", "dimension")
    write_words(folder, "a", LEAST_CHUNKS_PER_WINDOW + 20)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        with pytest.raises(KeyboardInterrupt):  # while vectors for the sample come together
            run(store, tokenizer, folder, quantizer, batches_left=1)
        assert select(store, "SELECT count() AS rows FROM calibrations") == [{"rows": 0}]
        assert visible_texts(store) == {}
        finished = run(store, tokenizer, folder, quantizer)
        assert finished.indexed == 1
        assert select(store, "SELECT version FROM calibrations") == [{"version": 1}]


KILLED_WRITER = """
import os, sys
from pathlib import Path
sys.path[:0] = ["tests", "tests/rag/index"]
from test_calibration import coder_of, open_store, uneven_vectors, source_document, chunks_of
from rag.index.vector_coder import code_vectors
from sql.records.calibration import Quantizer
from sql.store import ChunkBatch
store = open_store(Path(sys.argv[1]), Quantizer("asymmetric", "dimension"))
calibration = coder_of(store).calibrate(uneven_vectors(30))
draft = store.writer.begin(source_document("a.txt"))
chunks = [(draft, chunk) for chunk in chunks_of(["one", "two"])]
store.writer.insert(ChunkBatch(chunks, code_vectors(uneven_vectors(2), calibration)))
os.kill(os.getpid(), 9)
"""


def test_a_calibration_whose_writer_was_killed_is_whole_and_used_by_the_next_run(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, str(tmp_path / "store")], cwd=PROJECT, capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert store.snapshot(store.epoch()).calibration() is None
        assert visible_texts(store) == {}
        again = coder_of(store).calibrate(uneven_vectors(30))
        assert again.version == 1  # the row of the killed writer, whole and fitted alike
        assert len(select(store, "SELECT version FROM calibrations")) == 1
        publish(store, "a.txt", code_vectors(uneven_vectors(2), again))
        assert len(search(store, quantize_query(uneven_vectors(1)[0]), 5)) == 2


# Drift


def drift_of(vectors: NDArray[np.float32], quantizer: Quantizer, folder: Path) -> str | None:
    with open_store(folder, quantizer) as store:
        coder = coder_of(store)
        publish(store, "a.txt", code_vectors(uneven_vectors(3), coder.calibrate(uneven_vectors(500))))
        later = coder_of(store)
        later.encode(vectors)
        return later.drift()


@pytest.mark.everyday("asymmetric int8 per dimension", "symmetric int4")
@pytest.mark.parametrize("quantizer", SHARED, ids=lambda one: one.name)
def test_vectors_like_the_sample_are_no_drift_and_wider_ones_are(quantizer: Quantizer, tmp_path: Path) -> None:
    assert drift_of(uneven_vectors(1000, seed=1), quantizer, tmp_path / "alike") is None
    sentence = drift_of(uneven_vectors(1000, seed=1, factor=8), quantizer, tmp_path / "wider")
    assert sentence is not None
    assert "of the numbers in 1,000 vectors lie outside the ranges of calibration 1, of its 500 sampled" in sentence
    assert "--recalibrate" in sentence


def test_the_threshold_of_drift_is_twice_what_is_expected_and_a_thousandth() -> None:
    calibration = fit_calibration(uneven_vectors(199), Quantizer("asymmetric", "dimension"), "")
    assert drift_threshold(calibration, DIMENSIONS) == pytest.approx(2 * (0 + 2 / 200) + 0.001)
    shared = fit_calibration(uneven_vectors(25), Quantizer("asymmetric", "collection"), "")
    assert drift_threshold(shared, DIMENSIONS) == pytest.approx(2 * (0 + 2 / 201) + 0.001)


# Floats that are kept


def test_floats_are_kept_of_one_chunk_in_n_and_go_with_their_document(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder, quantizer = tmp_path / "docs", Quantizer("asymmetric")
    for name in range(48):
        write_words(folder, f"d{name}", 1)
    sql = "SELECT count() AS kept FROM float_references"
    with Store.open(str(tmp_path / "store"), write=True) as store:
        chunks = run(store, tokenizer, folder, quantizer).chunks
        assert select(store, sql) == [{"kept": 0}]
    for one_in, fewest, most in ((1, chunks, chunks), (4, 1, chunks - 1)):
        with Store.open(str(tmp_path / f"store {one_in}"), write=True) as store:
            run(store, tokenizer, folder, quantizer, keep_floats=one_in)
            kept = select(store, sql)[0]["kept"]
            assert fewest <= kept <= most
            rows = select(
                store,
                "SELECT vector, codes, scale, zero_point FROM float_references "
                "INNER JOIN chunks USING (generation, chunk_index)",
            )
            assert len(rows) == kept
            for row in rows:
                restored = row["scale"] * (np.array(row["codes"]) - row["zero_point"])
                assert np.abs(restored - row["vector"]).max() <= row["scale"] * 0.501
            store.writer.publish([], store.snapshot().documents())
            store.garbage.collect_unseen(grace_seconds=0)
            assert select(store, sql) == [{"kept": 0}]


# The command line


def test_the_command_makes_stores_of_every_granularity_and_remembers_it(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    write_words(tmp_path / "docs", "a", 5)
    where = ["--db", str(tmp_path / "store"), "--model", str(write_tiny_checkpoint(tmp_path / "model", tokenizer))]

    def ingest(*options: str) -> tuple[int, str, str]:
        code = run_command(ingest_command, [str(tmp_path / "docs"), *where, *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    code, _, errors = ingest("--granularity", "dimension", "--range", "percentile", "--keep-floats", "1")
    assert code == EXIT_OK, errors
    assert "calibration 1 was fitted on" in errors
    code, _, errors = ingest()
    assert (code, errors) == (EXIT_OK, "")
    _, _, errors = ingest("--granularity", "vector", "--range", "minmax")
    assert "use `--quantizer asymmetric --bits 8 --granularity dimension --range percentile`" in errors
    code, output, _ = ingest("--recalibrate")
    assert code == EXIT_OK
    assert "1 indexed" in output
    code, _, errors = ingest("--keep-floats", "-1")
    assert code == EXIT_USAGE
    assert "--keep-floats -1: give 1 or more to keep one chunk in that many" in errors


def test_the_command_makes_a_store_of_4_bits_and_remembers_them(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    write_words(tmp_path / "docs", "a", 5)
    where = ["--db", str(tmp_path / "store"), "--model", str(write_tiny_checkpoint(tmp_path / "model", tokenizer))]
    assert run_command(ingest_command, [str(tmp_path / "docs"), *where, "--bits", "4"]) == EXIT_OK
    assert run_command(ingest_command, [str(tmp_path / "docs"), *where]) == EXIT_OK
    capsys.readouterr()
    assert run_command(ingest_command, [str(tmp_path / "docs"), *where, "--bits", "8"]) == EXIT_ERROR
    errors = capsys.readouterr().err
    assert "asymmetric int4 per vector, mse ranges), and now" in errors
    assert "use `--quantizer asymmetric --bits 4`" in errors


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({}, "asymmetric int8 per vector"),
        ({"bits": 4}, "asymmetric int4 per vector, mse ranges"),
        ({"bits": 4, "ranges": "minmax"}, "asymmetric int4 per vector"),
        ({"kind": "symmetric", "granularity": "collection"}, "symmetric int8 per collection"),
    ],
)
def test_other_bits_bring_their_usual_ranges_along(asked: dict[str, Any], name: str) -> None:
    changed = Quantizer("asymmetric").changed(**asked)
    assert changed.name == name
    assert Quantizer.from_name(name) == changed
    assert changed.changed(bits=8).ranges == "minmax"
    assert ("--bits 4" in changed.options) == (changed.bits == 4)


def test_schemes_of_the_quantizers_are_those_of_the_maths() -> None:
    assert [vector_scheme(Quantizer(kind)) for kind in QUANTIZERS] == [ASYMMETRIC, SYMMETRIC]
