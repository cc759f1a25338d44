"""`python -m rag stats`: rows and bytes of real stores, counted again by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import (
    DIMENSIONS,
    chunks_of,
    draft_document,
    identity,
    open_store,
    publish_document,
    source_document,
)

from rag.commands.command_line import command
from rag.int8.quantization import quantize_vectors
from sql.base.errors import StoreError
from sql.store import ChunkBatch, Store
from sql.upkeep.stats import read_stats, stats_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGN_BYTES = 2  # a bit for each of the 8 dimensions, and for each of their rotation


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as store:
        yield store


def test_rows_of_superseded_and_unpublished_versions_are_left_over(store: Store) -> None:
    publish_document(store, "a", ["one", "two", "three"])
    publish_document(store, "b", ["four"])
    publish_document(store, "a", ["one", "two"])
    draft_document(store, "c", ["never published"])
    publish_document(store, "empty", [])
    stats = read_stats(store)
    assert (stats.epoch, stats.documents, stats.rows, stats.live_rows, stats.dead_rows) == (4, 3, 7, 3, 4)
    assert (stats.live_generations, stats.dead_generations) == (2, 2)
    store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "b"])
    assert (read_stats(store).live_rows, read_stats(store).dead_generations) == (2, 3)


def test_a_vector_takes_a_byte_a_dimension_and_a_few_more(store: Store) -> None:
    publish_document(store, "a", ["one"])
    stats = read_stats(store)
    sizes = {column.column: column.bytes for column in stats.vector}
    assert sizes == {"codes": DIMENSIONS, "scale": 4, "zero_point": 1, "norm": 4, "error": 4, "signs": SIGN_BYTES}
    assert stats.vector_bytes == sum(sizes.values())
    assert stats.float_bytes == 4 * DIMENSIONS


def test_bytes_on_disk_are_unknown_in_small_parts_and_exact_in_wide_ones(store: Store) -> None:
    publish_document(store, "a", ["one"])
    assert {column.bytes_on_disk for column in read_stats(store).vector} == {None}
    store.client.text("ALTER TABLE chunks MODIFY SETTING min_bytes_for_wide_part = 0", None)
    publish_document(store, "b", [f"text {number}" for number in range(1000)])
    stats = read_stats(store)
    codes = next(column for column in stats.vector if column.column == "codes")
    assert codes.bytes_on_disk is not None
    assert DIMENSIONS <= codes.bytes_on_disk <= DIMENSIONS + 10  # the codes, and the length of the array
    assert stats.vector_bytes_on_disk == pytest.approx(sum(column.bytes_on_disk or 0 for column in stats.vector))
    chunks = next(table for table in stats.tables if table.table == "chunks")
    assert (chunks.parts, chunks.rows) == (2, 1001)
    assert 1000 * stats.vector_bytes_on_disk < chunks.bytes_on_disk < stats.bytes_on_disk


def test_codes_and_what_belongs_to_them_take_no_more_than_a_byte_a_dimension_and_sixteen_on_disk(
    tmp_path: Path,
) -> None:
    rows, dimensions = 4000, 384
    vectors = np.random.default_rng(0).standard_normal((rows, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with open_store(tmp_path / "store", dimensions) as store:
        store.client.text("ALTER TABLE chunks MODIFY SETTING min_bytes_for_wide_part = 0", None)
        draft = store.writer.begin(source_document("a"))
        chunks = [(draft, chunk) for chunk in chunks_of([f"text {row}" for row in range(rows)])]
        store.writer.insert(ChunkBatch(chunks, quantize_vectors(vectors)))
        store.writer.publish([draft])
        on_disk = {column.column: column.bytes_on_disk or 0 for column in read_stats(store).vector}
    assert dimensions < sum(on_disk[name] for name in ("codes", "scale", "zero_point", "norm")) <= dimensions + 16
    assert on_disk["error"] <= 5
    assert on_disk["signs"] <= dimensions // 4 + 1


def test_a_store_without_chunks_has_no_vectors_to_measure(store: Store) -> None:
    stats = read_stats(store)
    assert (stats.rows, stats.documents, stats.vector, stats.vector_bytes_on_disk) == (0, 0, (), None)
    assert any(line.startswith("float32") for line in stats_lines(stats))


def test_a_store_without_tables_is_one_sentence(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "new"), write=True) as store, pytest.raises(StoreError, match="is empty"):
        read_stats(store)


def test_the_command_prints_lines_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a", ["one", "two"])
    assert command(["stats", "--db", str(tmp_path / "store")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "chunks       2 live in 1 generation" in lines
    assert f"float32             32   {32 / 23:.1f} times as much" in lines
    assert command(["stats", "--db", str(tmp_path / "store"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["model"], record["dimensions"], record["live_rows"]) == (identity().model, DIMENSIONS, 2)
    assert [column["column"] for column in record["vector"]["columns"]][:2] == ["codes", "scale"]
    assert record["bytes_on_disk"] == sum(table["bytes_on_disk"] for table in record["tables"])
