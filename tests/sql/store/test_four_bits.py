"""Codes of 4 bits: two in a byte of the table, read as the codes that they are by whatever reads codes."""

from __future__ import annotations

import json
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import chunks_of, identity, source_document

from rag.index.indexer import Indexer
from rag.int8.quantization import quantize_query, quantize_vectors, scores, vector_scheme
from rag.text.analyser import ANALYSER
from sql.base.errors import InvalidVector, StoreMismatch
from sql.engine.location import parse_location
from sql.engine.statements import read_statement, without_comments
from sql.records import code_pairs
from sql.records.calibration import Quantizer
from sql.search.request import SearchRequest
from sql.store import Store
from sql.upkeep.backup import copy_store
from sql.upkeep.cells import maintain_cells
from sql.upkeep.stats import read_stats
from sql.upkeep.transfer import export_store, import_store, read_export

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sql.records import QuantizedVectors

FOUR = Quantizer("asymmetric", bits=4)


def vectors_of(dimensions: int, rows: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(dimensions).standard_normal((rows, dimensions)).astype(np.float32)


def coded(vectors: NDArray[np.float32]) -> QuantizedVectors:
    return quantize_vectors(vectors, vector_scheme(FOUR))


def written(folder: Path, vectors: NDArray[np.float32], quantizer: Quantizer = FOUR) -> Store:
    """A store of documents of four chunks."""
    store = Store.open(str(folder), write=True)
    who = identity(vectors.shape[1])
    store.prepare(who, quantizer.name, ANALYSER)
    indexer, drafts = Indexer(store, who), []
    for first in range(0, len(vectors), 4):
        draft = store.writer.begin(source_document(f"{first:03}.txt", metadata={"first": first}))
        some = vectors[first : first + 4]
        texts = [f"row {first + row}" for row in range(len(some))]
        indexer.add([(draft, chunk) for chunk in chunks_of(texts)], some, ())
        drafts.append(draft)
    store.writer.publish(drafts)
    return store


def select(store: Store, sql: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.client.text(sql, "JSONEachRow").splitlines()]


def in_order(store: Store, columns: str) -> list[dict[str, Any]]:
    return select(store, f"SELECT {columns} FROM chunks ORDER BY source, chunk_index, generation")


# The bytes


def test_two_codes_lie_in_a_byte_and_the_last_of_an_odd_number_alone() -> None:
    assert code_pairs(np.array([[1, 2, 3, 4]], np.int8)).tolist() == [[0x13, 0x24]]
    assert code_pairs(np.array([[1, 2, 3]], np.int8)).tolist() == [[0x13, 0x20]]
    assert code_pairs(np.array([[7, -8], [-1, 0]], np.int8)).tolist() == [[0x78], [-16]]
    assert code_pairs(np.empty((0, 3), np.int8)).shape == (0, 2)


@pytest.mark.parametrize("code", [-9, 8, 127])
def test_a_code_that_needs_more_bits_is_refused_and_not_cut(code: int) -> None:
    with pytest.raises(InvalidVector, match=r"cannot be stored in four bits: they hold -8\.\.7"):
        code_pairs(np.array([[0, code]], np.int8))


@pytest.mark.parametrize(("name", "added"), [("30_chunks", 6), ("67_vector_drift", 2)])
def test_what_a_store_of_pairs_has_for_itself_differs_by_its_codes_alone(name: str, added: int) -> None:
    everybodys, own = (
        without_comments(read_statement(f"{folder}/{name}.sql")).splitlines() for folder in ("schema", "four_bits")
    )
    changes = [line for line in unified_diff(everybodys, own, n=0, lineterm="") if line[:2] not in {"--", "++", "@@"}]
    assert len([line for line in changes if line[0] == "-"]) == 2
    assert len([line for line in changes if line[0] == "+"]) == added
    assert all("code" in line or "pair" in line or "lowest" in line for line in changes)


# In the engine


@pytest.mark.everyday("[7]")
@pytest.mark.parametrize("dimensions", [1, 7, 24])
def test_every_code_comes_back_and_takes_half_a_byte(tmp_path: Path, dimensions: int) -> None:
    vectors = vectors_of(dimensions)
    codes = coded(vectors)
    assert (int(codes.codes.min()), int(codes.codes.max())) == (-8, 7)
    with written(tmp_path / "store", vectors) as store:
        found = in_order(store, "codes, scale, zero_point, length(code_pairs) AS bytes, error, norm")
        assert [row["codes"] for row in found] == codes.codes.tolist()
        assert [row["zero_point"] for row in found] == codes.zero_point.tolist()
        assert {row["bytes"] for row in found} == {(dimensions + 1) // 2}
        assert [np.float32(row["error"]) for row in found] == codes.errors().tolist()
        seen = select(store, f"SELECT vector FROM live_vectors(epoch = {store.epoch()}) ORDER BY source, chunk_index")
        assert [np.float32(row["vector"]).tolist() for row in seen] == codes.dequantize().tolist()
        check_searches(store, codes, vectors)
        assert store.snapshot().damaged_documents() == []


def check_searches(store: Store, codes: QuantizedVectors, vectors: NDArray[np.float32]) -> None:
    """Every way to search scores as NumPy does, and finds all rows where it looks at all."""
    rows = len(vectors)
    for vector in vectors[:3]:
        query = quantize_query(vector)
        truth = scores(query, codes)
        for strategy in ("exact", "two-stage"):
            found = store.snapshot().search(query, SearchRequest(k=rows, strategy=strategy, candidates=rows))
            order = sorted(range(rows), key=lambda row: (-truth[row], row))
            assert [hit.score for hit in found] == [truth[row] for row in order]
            assert sorted(hit.text for hit in found) == sorted(f"row {row}" for row in range(rows))
        some = store.snapshot().search(query, SearchRequest(k=5, filter={"first": {"$lt": 8}}))
        assert {hit.text for hit in some} <= {f"row {row}" for row in range(8)}


@pytest.mark.slow
def test_codes_go_with_their_chunks_into_cells_exports_and_backups(tmp_path: Path) -> None:
    vectors = vectors_of(7)
    expected = coded(vectors).codes.tolist()
    with written(tmp_path / "store", vectors) as store:
        export_store(store, tmp_path / "export")
        assert maintain_cells(store, least=10) == 10
        store.garbage.collect_unseen(grace_seconds=0)
        moved = in_order(store, "codes, cell")
        assert [row["codes"] for row in moved] == expected
        assert all(row["cell"] for row in moved)
        hits = store.snapshot().search(quantize_query(vectors[3]), SearchRequest(k=1, strategy="cells", probes=2))
        assert [hit.text for hit in hits] == ["row 3"]
        location = store.client.location
    found = read_export(tmp_path / "export")
    with Store.open(str(tmp_path / "imported"), write=True) as copy:
        assert import_store(copy, tmp_path / "export", found).chunks == len(vectors)
        assert [row["codes"] for row in in_order(copy, "codes")] == expected
    copy_store(location, parse_location(str(tmp_path / "backup")))
    with Store.open(str(tmp_path / "backup")) as copy:
        assert [row["codes"] for row in in_order(copy, "codes")] == expected
    with (
        written(tmp_path / "other", vectors, Quantizer("asymmetric")) as other,
        pytest.raises(StoreMismatch, match="use `--quantizer asymmetric --bits 8`, or ingest"),
    ):
        import_store(other, tmp_path / "export", found)


def test_other_bits_than_a_store_has_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with written(tmp_path / "store", vectors_of(4)) as store:
        with pytest.raises(StoreMismatch, match="use `--quantizer asymmetric --bits 4 --range minmax`, or ingest"):
            store.prepare(identity(4), Quantizer("asymmetric").name)
        indexer = Indexer(store, identity(4))
        draft = store.writer.begin(source_document("b.txt"))
        with pytest.raises(InvalidVector, match="cannot be stored in four bits"):
            indexer.add_coded([(draft, chunk) for chunk in chunks_of(["new"])], quantize_vectors(vectors_of(4, 1)), ())


def test_a_vector_of_4_bits_takes_half_the_bytes_in_the_statistics(tmp_path: Path) -> None:
    columns = {}
    for bits in (8, 4):
        with written(tmp_path / f"{bits}", vectors_of(24), Quantizer("asymmetric", bits=bits)) as store:
            columns[bits] = {column.column: column.bytes for column in read_stats(store).vector}
    assert (columns[8]["codes"], columns[4]["code_pairs"]) == (24, 12)
    assert sum(columns[8].values()) - sum(columns[4].values()) == 12


def test_codes_at_the_ends_of_4_bits_count_as_saturated(tmp_path: Path) -> None:
    vectors = vectors_of(24)
    codes = coded(vectors).codes
    with written(tmp_path / "store", vectors) as store:
        (row,) = select(store, f"SELECT saturated FROM vector_drift(epoch = {store.epoch()})")
    assert row["saturated"] == pytest.approx(float(((codes == -8) | (codes == 7)).mean()))


# The arithmetic


@pytest.mark.parametrize(
    ("numbers", "kind", "scale", "zero_point", "codes"),
    [
        # asymmetric: (3.6 + 1.5) / 15, and -8 - round(-1.5 / 0.34); symmetric: 6 / 7
        ([-1.5, 0, 0.3, 3.6], "asymmetric", 0.34, -4, [-8, -4, -3, 7]),
        ([0, 2.5, 4, 10], "asymmetric", 2 / 3, -8, [-8, -4, -2, 7]),
        ([-6, 0, 5], "symmetric", 6 / 7, 0, [-7, 0, 6]),
        ([0, 0, 0], "asymmetric", 1, 0, [0, 0, 0]),
        ([5, 5], "asymmetric", 1 / 3, -8, [7, 7]),
        ([-3], "symmetric", 3 / 7, 0, [-7]),
    ],
)
def test_codes_of_4_bits_can_be_followed_by_hand(
    numbers: Sequence[float], kind: str, scale: float, zero_point: int, codes: Sequence[int]
) -> None:
    found = quantize_vectors(np.array([numbers], np.float32), vector_scheme(Quantizer(kind, bits=4)))
    assert found.scale[0] == pytest.approx(scale)
    assert (found.zero_point[0], found.codes[0].tolist()) == (zero_point, codes)
    assert np.abs(found.dequantize()[0] - np.float32(numbers)).max() <= scale / 2
