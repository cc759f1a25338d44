"""Rounding errors of stored vectors: never less than the truth, carried wherever chunks go, honest where nobody knows."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pytest
from adversarial import hard_vectors
from pyarrow import parquet
from support import chunks_of, identity, open_store, publish_document, source_document

from rag.index.indexer import Indexer
from rag.index.vector_coder import code_vectors, fit_calibration
from rag.int8.quantization import quantize_vectors, vector_scheme
from sql.base.errors import InvalidVector
from sql.base.settings import GRANULARITIES, QUANTIZERS, RANGE_METHODS
from sql.engine.location import parse_location
from sql.engine.packed import read_vectors
from sql.engine.statements import Statement
from sql.records import QuantizedVectors, rounded_up
from sql.records.calibration import Quantizer
from sql.store import Store, known_errors
from sql.store.known_errors import with_known_errors
from sql.store.migrate import add_revision, find_errors, migrate
from sql.upkeep.backup import copy_store
from sql.upkeep.cells import maintain_cells
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DIMENSIONS = 16
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
CHOSEN = [KINDS[0], KINDS[2], KINDS[3], KINDS[7], KINDS[9]]


def coded(vectors: NDArray[np.float32], quantizer: Quantizer, seed: int = 1) -> QuantizedVectors:
    """Vectors as codes; shared ranges are fitted on others, so that numbers are cut."""
    if not quantizer.calibrated:
        return quantize_vectors(vectors, vector_scheme(quantizer), quantizer.ranges)
    sample = np.random.default_rng(seed).standard_normal((300, vectors.shape[1])).astype(np.float32)
    return code_vectors(vectors, fit_calibration(sample, quantizer, "a" * 64))


def true_errors(vectors: NDArray[np.float32], codes: QuantizedVectors) -> NDArray[np.float64]:
    """How far vectors are from their codes, number by number."""
    return np.array(
        [
            float(
                np.linalg.norm(vector.astype(np.float64) - row * codes.step_widths()[number % len(codes.step_widths())])
            )
            for number, (vector, row) in enumerate(zip(vectors, codes.steps(), strict=True))
        ]
    )


def written(folder: Path, quantizer: Quantizer, vectors: NDArray[np.float32]) -> Store:
    """A store with a document of vectors."""
    store = Store.open(str(folder), write=True)
    store.prepare(identity(DIMENSIONS), quantizer.name)
    indexer = Indexer(store, identity(DIMENSIONS))
    sample = np.random.default_rng(1).standard_normal((300, DIMENSIONS)).astype(np.float32)
    indexer.fit_ranges(lambda: sample)
    draft = store.writer.begin(source_document("a.txt"))
    texts = [f"text {row}" for row in range(len(vectors))]
    indexer.add([(draft, chunk) for chunk in chunks_of(texts)], vectors, ())
    store.writer.publish([draft])
    return store


def stored(store: Store) -> QuantizedVectors:
    """What a store holds of its chunks, in their order."""
    generations = [document.generation for document in store.snapshot().documents()]
    rows = store.client.query(Statement("whole_chunks", {"generations": generations}))
    return read_vectors(sorted(rows, key=lambda row: row["chunk_index"]), store.snapshot().calibration())


# What is known


@pytest.mark.parametrize("quantizer", KINDS, ids=lambda quantizer: quantizer.name)
@pytest.mark.parametrize("dimensions", [1, 3, 48])
def test_no_vector_is_further_from_its_codes_than_its_error(quantizer: Quantizer, dimensions: int) -> None:
    vectors = hard_vectors(dimensions)
    codes = coded(vectors, quantizer)
    truth = true_errors(vectors, codes)
    assert (codes.errors().astype(np.float64) >= truth).all()
    close = np.isfinite(codes.errors())
    assert (codes.errors()[close] <= truth[close] * (1 + 1e-6) + 2e-38).all()


@pytest.mark.parametrize("quantizer", KINDS, ids=lambda quantizer: quantizer.name)
def test_what_codes_alone_tell_is_never_less_than_the_error(quantizer: Quantizer) -> None:
    vectors = np.concatenate([hard_vectors(48, seed) for seed in range(4)])
    codes = coded(vectors, quantizer)
    alone = with_known_errors(
        QuantizedVectors(codes.codes, codes.scale, codes.zero_point, codes.calibration), quantizer
    )
    assert (alone.errors() >= codes.errors()).all()
    assert np.isfinite(alone.errors()).any()
    assert with_known_errors(codes, quantizer) is codes


def test_half_a_step_is_not_enough_at_the_ends_of_a_range() -> None:
    # The ends lie at -127.5 and 127.5 steps; where the float32 step is less than the exact one, a little beyond.
    ends = np.random.default_rng(0).uniform(0.1, 1, 1000)
    vectors = np.stack([ends, -ends], axis=1).astype(np.float32)
    codes = quantize_vectors(vectors)
    lost = np.abs(vectors - codes.steps() * codes.step_widths()) / codes.step_widths()
    assert 0.5 < lost.max() <= known_errors.HALF_STEP


def test_lengths_are_rounded_up_and_nothing_stays_nothing() -> None:
    lengths = np.array([0.0, 0.1, 1.0, 1e-44, 1e-60, 1e39, 3.4028234663852886e38])
    raised = rounded_up(lengths)
    assert raised.dtype == np.float32
    assert (raised.astype(np.float64) >= lengths).all()
    assert raised[0] == 0
    assert raised[1] < 0.1 + 1e-8
    assert raised[3] == raised[4] == np.finfo(np.float32).tiny
    assert np.isinf(raised[5:]).all()


@pytest.mark.parametrize("error", [[-1.0], [np.nan], [1.0, 2.0]])
def test_an_error_that_is_no_length_is_refused(error: list[float]) -> None:
    codes, scale, zero = np.ones((1, 2), np.int8), np.ones(1, np.float32), np.zeros(1, np.int8)
    with pytest.raises(InvalidVector, match=r"error must be float32 of shape \(1,\) and at least 0"):
        QuantizedVectors(codes, scale, zero, None, np.array(error, np.float32))


# What the store keeps


def test_errors_go_with_their_chunks_into_cells_exports_and_backups(tmp_path: Path) -> None:
    vectors = hard_vectors(DIMENSIONS)
    with written(tmp_path / "store", KINDS[0], vectors) as store:
        errors = coded(vectors, KINDS[0]).errors()
        assert np.array_equal(stored(store).errors(), errors)
        export_store(store, tmp_path / "export")
        assert maintain_cells(store, least=10) == 1
        assert np.array_equal(stored(store).errors(), errors)
        location = store.client.location
    with Store.open(str(tmp_path / "imported"), write=True) as copy:
        import_store(copy, tmp_path / "export", read_export(tmp_path / "export"))
        assert np.array_equal(stored(copy).errors(), errors)
    copy_store(location, parse_location(str(tmp_path / "backup")))
    with Store.open(str(tmp_path / "backup")) as copy:
        assert np.array_equal(stored(copy).errors(), errors)


def test_an_export_of_version_4_is_imported_with_the_errors_that_its_codes_tell(tmp_path: Path) -> None:
    vectors = hard_vectors(DIMENSIONS)
    with written(tmp_path / "store", KINDS[0], vectors) as store:
        export_store(store, tmp_path / "export")
        truth = stored(store)
    chunks, summary = tmp_path / "export" / "chunks-00001.parquet", tmp_path / "export" / "export.json"
    parquet.write_table(parquet.read_table(chunks).drop_columns(["error"]), chunks)
    record = json.loads(summary.read_text()) | {"schema_version": 4}
    record["files"][chunks.name]["sha256"] = sha256(chunks.read_bytes()).hexdigest()
    summary.write_text(json.dumps(record))
    with Store.open(str(tmp_path / "imported"), write=True) as copy:
        import_store(copy, tmp_path / "export", read_export(tmp_path / "export"))
        alone = QuantizedVectors(truth.codes, truth.scale, truth.zero_point)
        assert np.array_equal(stored(copy).errors(), with_known_errors(alone, KINDS[0]).errors())


@pytest.mark.parametrize("wrong", ["-1", "nan"])
def test_a_store_with_an_error_that_is_no_length_is_damaged(tmp_path: Path, wrong: str) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one", "two"])
        publish_document(store, "b.txt", ["three"])
        assert store.snapshot().damaged_documents() == []
        store.client.text(f"ALTER TABLE chunks UPDATE error = {wrong} WHERE text = 'two'", None)
        assert store.snapshot().damaged_documents() == ["/a.txt"]


# Stores of version 4, whose floats nobody has


@pytest.mark.everyday("asymmetric int8 per dimension")
@pytest.mark.parametrize("quantizer", CHOSEN, ids=lambda quantizer: quantizer.name)
def test_a_store_of_version_4_gets_the_errors_that_its_codes_tell(tmp_path: Path, quantizer: Quantizer) -> None:
    vectors = hard_vectors(DIMENSIONS)
    with written(tmp_path / "store", quantizer, vectors) as store:
        truth = stored(store).errors()
        store.client.text("ALTER TABLE chunks DROP CONSTRAINT error_is_length, DROP COLUMN error", None)
        add_revision(store.client, {"schema_version": 4})
        migrate(store.client)
        store.made_with.forget()
        found = stored(store)
        errors = found.errors()
        assert (errors >= truth).all()
        assert np.isfinite(errors).any()
        alone = QuantizedVectors(found.codes, found.scale, found.zero_point, found.calibration)
        twin = with_known_errors(alone, quantizer).errors()
        assert np.array_equal(np.isfinite(errors), np.isfinite(twin))
        assert errors[np.isfinite(errors)] == pytest.approx(twin[np.isfinite(twin)], rel=1e-6)
        assert store.snapshot().damaged_documents() == []
        find_errors(store.client)  # as after a kill
        assert np.array_equal(stored(store).errors(), errors)
