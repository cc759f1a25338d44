"""Vector libraries and other databases as peers of our search; each is a system of benchmarks/search_measure.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import read_rows
from search_measure import Built, K, Stopwatch, Way, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_ONCE = 50_000
EFFORTS = (16, 32, 64, 128, 256, 512, 1024)  # nodes that a search in a graph keeps


def faiss_sq8(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """FAISS: 8-bit codes, all compared."""
    import faiss

    index = faiss.IndexScalarQuantizer(384, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    yield faiss_built(folder, scratch, rows, index, Way("FAISS SQ8 flat", lambda query, _: nearest(index, query)))


def faiss_hnsw(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """FAISS: an HNSW graph over 8-bit codes."""
    import faiss

    index = faiss.IndexHNSWSQ(384, faiss.ScalarQuantizer.QT_8bit, 32, faiss.METRIC_INNER_PRODUCT)

    def search(query: np.ndarray, effort: int) -> list[int]:
        index.hnsw.efSearch = effort
        return nearest(index, query)

    yield faiss_built(folder, scratch, rows, index, Way("FAISS SQ8 HNSW", search, EFFORTS, "efSearch"))


def nearest(index: Any, query: np.ndarray) -> list[int]:
    """The ids that an index of FAISS finds."""
    return index.search(query[None], K)[1][0].tolist()


def faiss_built(folder: Path, scratch: Path, rows: int, index: Any, way: Way) -> Built:
    """An index of FAISS with all rows, written once for its size."""
    import faiss

    vectors, watch = read_rows(folder, rows), Stopwatch()
    index.train(np.ascontiguousarray(vectors[:: max(1, rows // AT_ONCE)]))
    for first in range(0, rows, AT_ONCE):
        index.add(np.ascontiguousarray(vectors[first : first + AT_ONCE]))
    took = watch.read()
    faiss.write_index(index, str(scratch / "index"))
    return Built([way], *took, size_of(scratch))


def usearch_index(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """usearch: an HNSW graph over int8, and the same codes all compared."""
    from usearch.index import Index

    vectors, watch = read_rows(folder, rows), Stopwatch()
    index = Index(ndim=384, metric="cos", dtype="i8")
    for first in range(0, rows, AT_ONCE):
        index.add(np.arange(first, min(first + AT_ONCE, rows)), np.ascontiguousarray(vectors[first : first + AT_ONCE]))
    took = watch.read()
    index.save(str(scratch / "index"))

    def in_graph(query: np.ndarray, effort: int) -> list[int]:
        index.expansion_search = effort
        return index.search(query, K).keys.tolist()

    def flat(query: np.ndarray, _: None) -> list[int]:
        return index.search(query, K, exact=True).keys.tolist()

    ways = [Way("usearch int8 HNSW", in_graph, EFFORTS, "expansion"), Way("usearch int8 flat", flat)]
    yield Built(ways, *took, size_of(scratch))


def lancedb_table(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """LanceDB without an index."""
    import lancedb
    import pyarrow as pa

    vectors = read_rows(folder, rows)

    def batch(first: int) -> Any:
        part = vectors[first : first + AT_ONCE]
        column = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), 384)
        return pa.table({"id": pa.array(np.arange(first, first + len(part))), "vector": column})

    watch = Stopwatch()
    table = lancedb.connect(str(scratch)).create_table("t", batch(0))
    for first in range(AT_ONCE, rows, AT_ONCE):
        table.add(batch(first))
    took = watch.read()

    def search(query: np.ndarray, _: None) -> list[int]:
        return (
            table.search(query).distance_type("dot").select(["id", "_distance"]).limit(K).to_arrow()["id"].to_pylist()
        )

    yield Built([Way("LanceDB flat", search)], *took, size_of(scratch))


def sqlite_table(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """sqlite-vec with int8 of one scale, all compared."""
    import apsw  # the sqlite3 of many Pythons loads no extensions
    import sqlite_vec

    vectors = read_rows(folder, rows)
    db = apsw.Connection(str(scratch / "vectors.db"))
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute("CREATE VIRTUAL TABLE t USING vec0(v int8[384] distance_metric=cosine)")
    watch = Stopwatch()
    scale = float(np.abs(vectors[:10_000]).max()) / 127

    def codes(values: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(values / scale), -127, 127).astype(np.int8)

    for first in range(0, rows, AT_ONCE):
        pairs = [(first + row, code.tobytes()) for row, code in enumerate(codes(vectors[first : first + AT_ONCE]))]
        with db:
            db.executemany("INSERT INTO t(rowid, v) VALUES (?, vec_int8(?))", pairs)
    took = watch.read()

    def search(query: np.ndarray, _: None) -> list[int]:
        sql = "SELECT rowid FROM t WHERE v MATCH vec_int8(?) AND k = ? ORDER BY distance"
        return [row[0] for row in db.execute(sql, (codes(query).tobytes(), K))]

    yield Built([Way("sqlite-vec int8", search)], *took, size_of(scratch))


def duckdb_table(folder: Path, scratch: Path, rows: int) -> Iterator[Built]:
    """DuckDB: FLOAT[384], all compared, and with an HNSW index where its extension vss is installed."""
    import duckdb
    import pyarrow as pa

    vectors, watch = read_rows(folder, rows), Stopwatch()
    db = duckdb.connect(str(scratch / "vectors.duckdb"))
    db.execute("CREATE TABLE t (id INTEGER, v FLOAT[384])")
    for first in range(0, rows, AT_ONCE):
        part = vectors[first : first + AT_ONCE]
        column = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), 384)
        batch = pa.table({"id": pa.array(np.arange(first, first + len(part)), pa.int32()), "v": column})
        db.register("batch", batch)
        db.execute("INSERT INTO t SELECT id, v FROM batch")
        db.unregister("batch")
    name = "DuckDB flat"
    try:
        db.execute("LOAD vss")
    except duckdb.Error:
        print("DuckDB's extension vss is not installed (`INSTALL vss` downloads it): no HNSW index", flush=True)
    else:
        db.execute("SET hnsw_enable_experimental_persistence = true")
        db.execute("CREATE INDEX near ON t USING HNSW (v) WITH (metric = 'ip')")
        name = "DuckDB vss HNSW"
    db.execute("CHECKPOINT")
    took = watch.read()
    sql = f"SELECT id FROM t ORDER BY array_negative_inner_product(v, ?::FLOAT[384]) LIMIT {K}"

    def search(query: np.ndarray, _: None) -> list[int]:
        return [row[0] for row in db.execute(sql, [query.tolist()]).fetchall()]

    yield Built([Way(name, search)], *took, size_of(scratch))


SYSTEMS: dict[str, Any] = {
    "faiss-sq8": faiss_sq8,
    "faiss-hnsw": faiss_hnsw,
    "usearch-i8": usearch_index,
    "lancedb": lancedb_table,
    "sqlite-vec": sqlite_table,
    "duckdb": duckdb_table,
}
