"""The engine's own ways to store and search vectors, as peers of ours; each is a system of benchmarks/search_measure.py.

- a column of Float32, compressed as by default or not, or of BFloat16, every row compared;
- the same with a vector_similarity index, a graph;
- `CODEC(Quantized(...))`: codes beside the floats, a shortlist by codes, the floats for what is on it;
- `QBit(Int8)`: bits of one place stored together, so that a search reads as many as it wants: over affine codes with their
  scale and zero-point, the query in 8 bits, and over the engine's own codes (`quantizeBFloat16ToInt8`) of vectors that were
  rotated and scaled, as it asks for, the query in floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import read_rows
from search_measure import Built, K, Stopwatch, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AT_ONCE = 50_000
MULTIPLIERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100)
FINE = 128  # rows of a granule: the floats of a whole one are read for each row on the shortlist
EFFORTS = (16, 32, 64, 128, 256, 512, 1024)
FLOATS = "Array(Float32)"
QUANTIZED = {
    "rabitq": "'rabitq', 384",
    "turboquant": "'turboquant', 384",
    "quantized-int8": "'int8', 384",
    "product": "'product', 384, 8, 96",
}


class Engine:
    """A table `t` of ids and vectors in an embedded ClickHouse."""

    def __init__(self, scratch: Path, columns: str, granularity: int = 8192) -> None:
        import chdb

        self.part = (scratch / "part.arrow").resolve()
        self.db = chdb.connect(str(scratch / "data"))
        self.run("SET enable_quantized_codec = 1")
        self.run(
            f"CREATE TABLE t (id UInt32, {columns}) ENGINE = MergeTree ORDER BY id "
            f"SETTINGS index_granularity = {granularity}"
        )

    def run(self, sql: str) -> str:
        """A statement's result, separated by tabs."""
        return str(self.db.query(sql, "TSV"))

    def ids(self, sql: str) -> list[int]:
        """The ids that a search gives."""
        return [int(one) for one in self.run(sql).split()]

    def insert(self, columns: str = "id, v", **arrays: np.ndarray) -> None:
        """Rows, an array a column with one row each; handed over as a file. `columns` are made of them."""
        import pyarrow as pa

        table = pa.table({name: arrow_column(array) for name, array in arrays.items()})
        with pa.OSFile(str(self.part), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        self.run(f"INSERT INTO t SELECT {columns} FROM file('{self.part}', Arrow) SETTINGS max_insert_threads = 1")
        self.part.unlink()

    def finish(self) -> None:
        """One part: merges that go on behind the queries would be measured with them."""
        self.run("OPTIMIZE TABLE t FINAL")

    def size(self) -> int:
        """Bytes of what is there; parts that were merged into others linger on the disk and do not count."""
        return int(self.run("SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 't' AND active"))


def arrow_column(array: np.ndarray) -> Any:
    """Numbers, or rows of numbers, as a column."""
    import pyarrow as pa

    if array.ndim == 1:
        return pa.array(array)
    offsets = np.arange(0, array.size + 1, array.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(array).ravel()))


def blocks(vectors: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The ids and vectors of some rows after another."""
    for first in range(0, len(vectors), AT_ONCE):
        part = np.ascontiguousarray(vectors[first : first + AT_ONCE])
        yield np.arange(first, first + len(part), dtype=np.uint32), part


def literal(values: np.ndarray) -> str:
    """A vector in a statement, in no more digits than it needs."""
    return f"[{','.join(map(str, values))}]"


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 of each number, ties to even, as float32: the engine would cut the lower bits off."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32)


def stored(
    folder: Path,
    scratch: Path,
    rows: int,
    column: str,
    ways: Callable[[Engine], list[Way]],
    prepare: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    granularity: int = 8192,
) -> Built:
    """A table of one column of vectors."""
    engine, vectors = Engine(scratch, column, granularity), read_rows(folder, rows)
    watch = Stopwatch()
    for ids, part in blocks(vectors):
        engine.insert(id=ids, v=prepare(part))
    engine.finish()
    return Built(ways(engine), *watch.read(), engine.size())


def scan(name: str, engine: Engine, cast: str, prepare: Callable[[np.ndarray], np.ndarray]) -> Way:
    """Every row compared."""

    def search(query: np.ndarray, _: None) -> list[int]:
        return engine.ids(f"SELECT id FROM t ORDER BY dotProduct(v, {literal(prepare(query))}::{cast}) DESC LIMIT {K}")

    return Way(f"ClickHouse {name}", search)


def float32(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """As a table is made without further thought: LZ4."""
    yield stored(folder, scratch, rows, f"v {FLOATS}", lambda engine: [scan("Float32", engine, FLOATS, np.asarray)])


def float32_none(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Not compressed."""
    column = f"v {FLOATS} CODEC(NONE)"
    yield stored(
        folder, scratch, rows, column, lambda engine: [scan("Float32, CODEC(NONE)", engine, FLOATS, np.asarray)]
    )


def bfloat16(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Rounded before it is stored, not compressed."""
    column = "v Array(BFloat16) CODEC(NONE)"
    yield stored(
        folder,
        scratch,
        rows,
        column,
        lambda engine: [scan("BFloat16, rounded", engine, "Array(BFloat16)", to_bfloat16)],
        to_bfloat16,
    )


def hnsw(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """A vector_similarity index, whose graph holds bfloat16 by default."""

    def ways(engine: Engine) -> list[Way]:
        def search(query: np.ndarray, effort: int) -> list[int]:
            return engine.ids(
                f"SELECT id FROM t ORDER BY cosineDistance(v, {literal(query)}::{FLOATS}) LIMIT {K} "
                f"SETTINGS hnsw_candidate_list_size_for_search = {effort}"
            )

        return [Way("ClickHouse HNSW", search, EFFORTS, "candidates")]

    column = f"v {FLOATS}, INDEX near v TYPE vector_similarity('hnsw', 'cosineDistance', 384)"
    yield stored(folder, scratch, rows, column, ways)


def quantized(folder: Path, scratch: Path, rows: int, method: str) -> Iterator[Built]:
    """`CODEC(Quantized(...))`, asked in the one form that uses its codes."""

    def ways(engine: Engine) -> list[Way]:
        def search(query: np.ndarray, multiplier: int) -> list[int]:
            return engine.ids(
                f"SELECT id FROM t ORDER BY cosineDistance(v, {literal(query)}::{FLOATS}) LIMIT {K} "
                f"SETTINGS vector_search_use_quantized_codes = 1, vector_search_index_fetch_multiplier = {multiplier}"
            )

        return [Way(f"ClickHouse Quantized({QUANTIZED[method]})", search, MULTIPLIERS, "multiplier")]

    column = f"v {FLOATS} CODEC(Quantized({QUANTIZED[method]}))"
    yield stored(folder, scratch, rows, column, ways, granularity=FINE)


def rabitq(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """One bit a dimension with RaBitQ's correction."""
    return quantized(folder, scratch, rows, "rabitq")


def turboquant(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """TurboQuant at its default number of bits."""
    return quantized(folder, scratch, rows, "turboquant")


def quantized_int8(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Eight bits a dimension."""
    return quantized(folder, scratch, rows, "quantized-int8")


def product(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Product quantization: 96 codebooks of 256."""
    return quantized(folder, scratch, rows, "product")


def qbit(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """Affine codes in QBit(Int8), the query in 8 bits; settings: how many bits are read."""
    from rag.int8.quantization import quantize_vectors

    engine, vectors = Engine(scratch, "v QBit(Int8, 384), scale Float32, zero_point Int16"), read_rows(folder, rows)
    watch = Stopwatch()
    for ids, part in blocks(vectors):
        rows_of = quantize_vectors(part)
        zero_points = rows_of.zero_point.astype(np.int16)
        engine.insert("id, v, scale, zero_point", id=ids, v=rows_of.codes, scale=rows_of.scale, zero_point=zero_points)
    engine.finish()

    def search(query: np.ndarray, bits: int) -> list[int]:
        codes = np.rint(query * (127 / np.abs(query).max())).astype(int)
        score = f"scale * (dotProductTransposed(v, {literal(codes)}::Array(Int8), {bits}) - zero_point * {codes.sum()})"
        return engine.ids(f"SELECT id FROM t ORDER BY {score} DESC LIMIT {K}")

    way = Way("ClickHouse QBit(Int8), affine codes", search, (4, 5, 6, 7, 8), "bits")
    yield Built([way], *watch.read(), engine.size())


def qbit_own(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """The engine's own codes in QBit(Int8), the query in floats; settings: how many bits are read."""
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((384, 384)))[0].astype(np.float32)

    def spread(values: np.ndarray) -> np.ndarray:
        """Rotated, and scaled so that the numbers of a vector of length 1 have the variance 1."""
        return values @ rotation * np.float32(np.sqrt(384))

    engine, vectors = Engine(scratch, "v QBit(Int8, 384)"), read_rows(folder, rows)
    watch = Stopwatch()
    for ids, part in blocks(vectors):
        engine.insert("id, arrayMap(x -> quantizeBFloat16ToInt8(x::BFloat16), v)", id=ids, v=to_bfloat16(spread(part)))
    engine.finish()

    def search(query: np.ndarray, bits: int) -> list[int]:
        score = f"dotProductTransposedQuantized(v, {literal(spread(query))}::{FLOATS}, {bits})"
        return engine.ids(f"SELECT id FROM t ORDER BY {score} DESC LIMIT {K}")

    way = Way("ClickHouse QBit(Int8), own codes", search, (2, 3, 4, 5, 6, 7, 8), "bits")
    yield Built([way], *watch.read(), engine.size())


SYSTEMS: dict[str, Any] = {
    "clickhouse-float32": float32,
    "clickhouse-float32-none": float32_none,
    "clickhouse-bfloat16": bfloat16,
    "clickhouse-hnsw": hnsw,
    "clickhouse-rabitq": rabitq,
    "clickhouse-turboquant": turboquant,
    "clickhouse-quantized-int8": quantized_int8,
    "clickhouse-product": product,
    "clickhouse-qbit": qbit,
    "clickhouse-qbit-own": qbit_own,
}
