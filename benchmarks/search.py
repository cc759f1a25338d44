"""Search: p50 and recall@10 against exact float32, one query at a time, with build time, bytes on disk and memory.

    make search-data                                              (once: the vectors, see benchmarks/search_data.py)
    python benchmarks/search.py measure NAME... [--rows 300000]   (one process a name, the results are kept)
    python benchmarks/search.py table [--rows 300000]             (what was measured, as a Markdown table)
    python benchmarks/search.py growth [--upto 3000000]           (our searches from 100,000 rows on; resumable)
    python benchmarks/search.py plot                              (search-growth.png)
    python benchmarks/search.py threads [two-stage] [cells]       (16 threads ask while one ingests)
    python benchmarks/search.py words [--rows 300000]             (meaning, words and both, and what each statement takes)

NAME is `ours` (exact, two-stage and cells over one store), `clickhouse-float32` (as a table is made without further
thought, compressed with LZ4), `clickhouse-float32-none` (not compressed), `clickhouse-bfloat16`, `clickhouse-hnsw`,
`faiss-sq8`, `faiss-hnsw`, `usearch-i8`, `lancedb`, `sqlite-vec`, or `all`. Give several names at once to compare them:
load on the machine then falls on all of them. A peer that is not installed (`pip install -e .[benchmarks]`) is named and
passed over. Our times include both statements of a read, the reading of text and metadata of the hits, and Python's
share; the peers return ids.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from search_data import BLOCK, DEFAULT_FOLDER, Growth, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K, QUERIES, ROUNDS = 10, 40, 2
PER_DOCUMENT = 20  # chunks of one document in our store
GROWTH_SIZES = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000)
NEEDS = {"faiss": "faiss", "usearch": "usearch", "lancedb": "lancedb", "sqlite": "apsw", "clickhouse": "chdb"}


# What every measurement shares


def truth(folder: Path, rows: int) -> np.ndarray:
    """The ten nearest rows of each query by float32, int64 (queries, K)."""
    path = folder / f"truth-{rows}.npy"
    if not path.exists():
        queries, vectors = np.load(folder / "queries.npy")[:QUERIES], read_rows(folder, rows)
        parts = [queries @ vectors[first : first + 50_000].T for first in range(0, rows, 50_000)]
        np.save(path, np.argsort(-np.concatenate(parts, axis=1), axis=1)[:, :K])
    return np.load(path)


def measure_queries(folder: Path, rows: int, search: Callable[[np.ndarray], list[int]]) -> dict[str, float]:
    """p50 in milliseconds, the best of some rounds after a warm-up, the CPU time of all threads, and recall@10.

    On a machine that is busy with other things the wall clock tells of them; the CPU time hardly does.
    """
    queries, right = np.load(folder / "queries.npy")[:QUERIES], truth(folder, rows)
    for query in queries[:5]:
        search(query)
    walls, cpus, found = [], [], 0
    for round_ in range(ROUNDS):
        wall, cpu = [], []
        for query, ids in zip(queries, right, strict=True):
            started, used = time.perf_counter(), time.process_time()
            answer = search(query)
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
            if round_ == 0:
                found += len(set(answer) & set(ids.tolist()))
        walls.append(float(np.median(wall)))
        cpus.append(float(np.median(cpu)))
    return {"ms": 1000 * min(walls), "cpu_ms": 1000 * min(cpus), "recall": found / right.size}


def resident_mib() -> float:
    """Resident memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def size_of(path: Path) -> int:
    """Bytes below a folder, or of a file."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


# Ours


def ours(folder: Path, scratch: Path, rows: int) -> Iterator[dict[str, Any]]:
    """Exact and two-stage over the store as it was inserted, then cells, with what making them took."""
    from sql.upkeep.cells import maintain_cells

    with open_store(scratch) as store:
        started, used = time.perf_counter(), time.process_time()
        insert_rows(store, folder, 0, rows)
        build = time.perf_counter() - started
        print(f"inserted in {build:.1f} s, {time.process_time() - used:.1f} s of CPU", flush=True)
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        for name, how in (
            ("exact", {"strategy": "exact"}),
            ("two-stage", {"strategy": "two-stage"}),
            ("two-stage, 1000 candidates", {"strategy": "two-stage", "candidates": 1000}),
        ):
            yield {"name": f"ours {name}", "build": build, **measure_ours(store, folder, rows, how)}
        started = time.perf_counter()
        maintain_cells(store, print)
        build += time.perf_counter() - started
        store.garbage.collect_unseen(grace_seconds=0)
        store.client.text("OPTIMIZE TABLE chunks FINAL", None)
        for probes in (64, 128, 256) if store.writer.cells() else ():
            how = {"strategy": "cells", "probes": probes}
            yield {"name": f"ours cells, {probes} probes", "build": build, **measure_ours(store, folder, rows, how)}


def search(store: Any, query: Any, k: int, epoch: int | None = None, **how: Any) -> Any:
    """The hits of one search."""
    from sql.search.request import SearchRequest

    return store.snapshot(epoch).search(query, SearchRequest(k=k, **how))


def open_store(scratch: Path) -> Any:
    """An open store for vectors of 384, made if need be."""
    from rag.text.analyser import ANALYSER
    from sql.records import EncoderIdentity
    from sql.store import Store

    store = Store.open(str(scratch / "store"), write=True)
    identity = EncoderIdentity("benchmark", "", "", "", "int8", "mean", 384, 256)
    store.prepare(identity, "asymmetric int8 per vector", ANALYSER)
    return store


def insert_rows(store: Any, folder: Path, first: int, last: int, words: bool = False) -> None:
    """Quantizes, inserts and publishes rows first..last.

    A chunk's text is the number of its row; or, with words, one that belongs to its vector, and its words come along.
    """
    from rag.int8.quantization import quantize_vectors
    from rag.text.analyser import chunk_words
    from sql.records import Chunk
    from sql.store import ChunkBatch

    growth = Growth(folder)
    stored = read_rows(folder, last)
    windows = json.loads((folder / "texts.json").read_text())["windows"] if words else []
    for start in range(first, last, BLOCK):
        vectors = stored[start : start + BLOCK]
        if len(vectors) < BLOCK:
            vectors = growth.block(start // BLOCK)
        texts = growth.texts(start // BLOCK, windows) if words else [str(row) for row in range(start, start + BLOCK)]
        drafts, chunks = [], []
        for row, text in enumerate(texts, start):
            if row % PER_DOCUMENT == 0:
                drafts.append(store.writer.begin(document(row)))
            chunks.append((drafts[-1], Chunk(row % PER_DOCUMENT, text, 0, len(text), 1, 0, "", 1)))
        found = [chunk_words(text, "en") for text in texts] if words else ()
        store.writer.insert(ChunkBatch(chunks, quantize_vectors(np.ascontiguousarray(vectors)), found))
        store.writer.publish(drafts)


def document(row: int) -> Any:
    """A document of the store."""
    from sql.records import SourceDocument

    return SourceDocument(f"/{row}", f"{row}", "", "text", "utf-8", "", 0, "none")


def measure_ours(store: Any, folder: Path, rows: int, how: dict[str, Any]) -> dict[str, Any]:
    """One of our ways to search."""
    from rag.int8.quantization import quantize_query

    def found(query: np.ndarray) -> list[int]:
        return [int(hit.text) for hit in search(store, quantize_query(query), K, **how)]

    figures = measure_queries(folder, rows, found)
    sql = (
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = currentDatabase() AND table = 'chunks' AND active"
    )
    return {**figures, "bytes": int(store.client.text(sql, "TSV")), "mib": resident_mib()}


# ClickHouse with other types


def clickhouse(folder: Path, scratch: Path, rows: int, kind: str) -> Iterator[dict[str, Any]]:
    """Array(Float32), the same uncompressed, Array(BFloat16), or Array(Float32) with an HNSW index of bfloat16."""
    import chdb

    scratch.mkdir(parents=True, exist_ok=True)
    db = chdb.connect(str(scratch / "data"))
    element = "BFloat16" if kind == "bfloat16" else "Float32"
    index = ", INDEX near v TYPE vector_similarity('hnsw', 'cosineDistance', 384)" if kind == "hnsw" else ""
    codec = " CODEC(NONE)" if kind == "float32-none" else ""
    db.query(f"CREATE TABLE t (id UInt32, v Array({element}){codec}{index}) ENGINE = MergeTree ORDER BY id")
    started = time.perf_counter()
    vectors = read_rows(folder, rows)
    for first in range(0, rows, 50_000):
        np.save(scratch / "part.npy", vectors[first : first + 50_000])
        db.query(
            f"INSERT INTO t SELECT {first} + rowNumberInAllBlocks(), array FROM "
            f"file('{(scratch / 'part.npy').resolve()}', Npy, 'array Array(Float32)') SETTINGS max_insert_threads = 1"
        )
    db.query("OPTIMIZE TABLE t FINAL")  # merges that go on behind the queries would be measured with them
    build = time.perf_counter() - started
    (scratch / "part.npy").unlink()
    cast = f"::Array({element})"
    score = "cosineDistance(v, {q})" if kind == "hnsw" else "-dotProduct(v, {q})"

    def search(query: np.ndarray) -> list[int]:
        literal = f"[{','.join(map(str, query.tolist()))}]{cast}"
        return [int(i) for i in str(db.query(f"SELECT id FROM t ORDER BY {score.format(q=literal)} LIMIT {K}")).split()]

    figures = measure_queries(folder, rows, search)
    # not the folder's size: parts that were merged into others linger on the disk
    size = int(str(db.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 't' AND active")))
    yield {"name": f"ClickHouse {kind}", "build": build, **figures, "bytes": size, "mib": resident_mib()}


# Libraries


def faiss_index(folder: Path, scratch: Path, rows: int, kind: str) -> Iterator[dict[str, Any]]:
    """FAISS: 8-bit codes, all compared, or an HNSW graph over them."""
    import faiss

    vectors = read_rows(folder, rows)
    eight, inner = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    started = time.perf_counter()
    if kind == "sq8":
        index = faiss.IndexScalarQuantizer(384, eight, inner)
    else:
        index = faiss.IndexHNSWSQ(384, eight, 32, inner)
        index.hnsw.efSearch = 64
    index.train(np.ascontiguousarray(vectors[:: max(1, rows // 50_000)]))
    for first in range(0, rows, 50_000):
        index.add(np.ascontiguousarray(vectors[first : first + 50_000]))
    build = time.perf_counter() - started
    scratch.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(scratch / "index"))
    figures = measure_queries(folder, rows, lambda query: index.search(query[None], K)[1][0].tolist())
    yield {"name": f"FAISS {kind}", "build": build, **figures, "bytes": size_of(scratch), "mib": resident_mib()}


def usearch_index(folder: Path, scratch: Path, rows: int) -> Iterator[dict[str, Any]]:
    """usearch: an HNSW graph over int8, and the same codes all compared."""
    from usearch.index import Index

    vectors = read_rows(folder, rows)
    index = Index(ndim=384, metric="cos", dtype="i8")
    started = time.perf_counter()
    for first in range(0, rows, 20_000):
        index.add(np.arange(first, min(first + 20_000, rows)), np.ascontiguousarray(vectors[first : first + 20_000]))
    build = time.perf_counter() - started
    scratch.mkdir(parents=True, exist_ok=True)
    index.save(str(scratch / "index"))
    for name, exact in (("HNSW", False), ("flat", True)):
        figures = measure_queries(
            folder, rows, lambda query, exact=exact: index.search(query, K, exact=exact).keys.tolist()
        )
        yield {
            "name": f"usearch i8 {name}",
            "build": build,
            **figures,
            "bytes": size_of(scratch),
            "mib": resident_mib(),
        }


def lancedb_table(folder: Path, scratch: Path, rows: int) -> Iterator[dict[str, Any]]:
    """LanceDB without an index."""
    import lancedb
    import pyarrow as pa

    vectors = read_rows(folder, rows)

    def batch(first: int) -> Any:
        part = vectors[first : first + 50_000]
        column = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), 384)
        return pa.table({"id": pa.array(np.arange(first, first + len(part))), "vector": column})

    started = time.perf_counter()
    table = lancedb.connect(str(scratch)).create_table("t", batch(0))
    for first in range(50_000, rows, 50_000):
        table.add(batch(first))
    build = time.perf_counter() - started
    figures = measure_queries(
        folder,
        rows,
        lambda query: table.search(query).distance_type("dot").select(["id"]).limit(K).to_arrow()["id"].to_pylist(),
    )
    yield {"name": "LanceDB flat", "build": build, **figures, "bytes": size_of(scratch), "mib": resident_mib()}


def sqlite_table(folder: Path, scratch: Path, rows: int) -> Iterator[dict[str, Any]]:
    """sqlite-vec with int8 of one scale, all compared."""
    import apsw  # the sqlite3 of many Pythons loads no extensions
    import sqlite_vec

    vectors = read_rows(folder, rows)
    scratch.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(scratch / "vectors.db"))
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute("CREATE VIRTUAL TABLE t USING vec0(v int8[384] distance_metric=cosine)")
    started = time.perf_counter()
    scale = float(np.abs(vectors[:10_000]).max()) / 127
    for first in range(0, rows, 20_000):
        codes = np.clip(np.rint(vectors[first : first + 20_000] / scale), -127, 127).astype(np.int8)
        pairs = [(first + row, code.tobytes()) for row, code in enumerate(codes)]
        with db:
            db.executemany("INSERT INTO t(rowid, v) VALUES (?, vec_int8(?))", pairs)
    build = time.perf_counter() - started

    def search(query: np.ndarray) -> list[int]:
        codes = np.clip(np.rint(query / scale), -127, 127).astype(np.int8).tobytes()
        sql = "SELECT rowid FROM t WHERE v MATCH vec_int8(?) AND k = ? ORDER BY distance"
        return [row[0] for row in db.execute(sql, (codes, K))]

    figures = measure_queries(folder, rows, search)
    yield {"name": "sqlite-vec int8", "build": build, **figures, "bytes": size_of(scratch), "mib": resident_mib()}


SYSTEMS: dict[str, Callable[[Path, Path, int], Iterator[dict[str, Any]]]] = {
    "ours": ours,
    "clickhouse-float32": lambda *place: clickhouse(*place, "float32"),
    "clickhouse-float32-none": lambda *place: clickhouse(*place, "float32-none"),
    "clickhouse-bfloat16": lambda *place: clickhouse(*place, "bfloat16"),
    "clickhouse-hnsw": lambda *place: clickhouse(*place, "hnsw"),
    "faiss-sq8": lambda *place: faiss_index(*place, "sq8"),
    "faiss-hnsw": lambda *place: faiss_index(*place, "hnsw"),
    "usearch-i8": usearch_index,
    "lancedb": lancedb_table,
    "sqlite-vec": sqlite_table,
}


def measure(names: list[str], folder: Path, rows: int) -> None:
    """Each system in a process of its own; the results go to `results/`."""
    for name in list(SYSTEMS) if names == ["all"] else names:
        needed = NEEDS.get(name.split("-")[0])
        if needed and importlib.util.find_spec(needed) is None:
            print(f"{name}: {needed} is not installed, passed over")
            continue
        subprocess.run([sys.executable, __file__, "one", name, "--rows", str(rows), "--data", str(folder)], check=True)


def measure_one(name: str, folder: Path, rows: int) -> None:
    """One system in this process."""
    scratch = folder / f"scratch-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    results = folder / "results"
    results.mkdir(exist_ok=True)
    truth(folder, rows)
    found = []
    try:
        for figures in SYSTEMS[name](folder, scratch, rows):
            found.append(figures)
            print({key: round(v, 3) if isinstance(v, float) else v for key, v in figures.items()}, flush=True)
            (results / f"{rows}-{name}.json").write_text(json.dumps(found))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def show_table(folder: Path, rows: int) -> None:
    """Every result for so many rows."""
    found = [one for path in (folder / "results").glob(f"{rows}-*.json") for one in json.loads(path.read_text())]
    print("| search | p50 | CPU | recall@10 | build | on disk | resident |\n|---|---|---|---|---|---|---|")
    for one in sorted(found, key=lambda one: one["ms"]):
        print(
            f"| {one['name']} | {one['ms']:.1f} ms | {one['cpu_ms']:.1f} ms | {one['recall']:.3f} | {one['build']:.0f} s | "
            f"{one['bytes'] / 2**20:.0f} MiB | {one['mib']:.0f} MiB |"
        )


# Growth and threads


def grow(folder: Path, upto: int) -> None:
    """Our searches while the store grows; a size that was measured is not measured again."""
    from sql.upkeep.cells import maintain_cells

    path = folder / "results" / "growth.json"
    path.parent.mkdir(exist_ok=True)
    found = json.loads(path.read_text()) if path.exists() else []
    with open_store(folder / "growth") as store:
        for rows in GROWTH_SIZES:
            there = store.snapshot().chunk_count()
            if rows > upto or any(one["rows"] == rows for one in found):
                continue
            insert_rows(store, folder, there, rows)
            maintain_cells(store, print)
            store.garbage.collect_unseen(grace_seconds=0)
            ways = {"exact": {"strategy": "exact"}, "two-stage": {"strategy": "two-stage"}}
            ways["cells"] = {"strategy": "cells"}
            found.append({"rows": rows} | {name: time_queries(store, folder, how) for name, how in ways.items()})
            print(found[-1], flush=True)
            path.write_text(json.dumps(found))


def time_queries(store: Any, folder: Path, how: dict[str, Any]) -> float:
    """The median of a few queries in milliseconds, the best of some rounds."""
    from rag.int8.quantization import quantize_query

    queries = [quantize_query(query) for query in np.load(folder / "queries.npy")[:20]]
    medians = []
    for _ in range(ROUNDS):
        times = []
        for query in queries:
            started = time.perf_counter()
            search(store, query, K, **how)
            times.append(time.perf_counter() - started)
        medians.append(1000 * float(np.median(times)))
    return min(medians)


def plot(folder: Path) -> None:
    """The growth as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    found = json.loads((folder / "results" / "growth.json").read_text())
    sizes = [one["rows"] for one in found]
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name in ("exact", "two-stage", "cells"):
        axes.plot(sizes, [one[name] for one in found], marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="rows of 384 numbers", ylabel="p50 of one query, ms")
    axes.set_xticks(sizes, [f"{rows:,}" for rows in sizes])
    axes.set_yticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
    axes.set_ylim(bottom=15, top=500)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(ticker.NullLocator())
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(folder / "search-growth.png", dpi=120)
    print(folder / "search-growth.png")


def ask_in_threads(folder: Path, rows: int, mode: str, threads: int = 16, seconds: float = 20) -> None:
    """Threads ask at a fixed epoch while one ingests; prints throughput, errors and answers that differ."""
    from rag.int8.quantization import quantize_query
    from sql.upkeep.cells import maintain_cells

    scratch = folder / "scratch-threads"
    shutil.rmtree(scratch, ignore_errors=True)
    with open_store(scratch) as store:
        insert_rows(store, folder, 0, rows)
        if mode == "cells":
            maintain_cells(store)
            store.garbage.collect_unseen(grace_seconds=0)
        epoch, how = store.epoch(), {"strategy": mode}
        queries = [quantize_query(query) for query in np.load(folder / "queries.npy")[:QUERIES]]
        right = [search(store, query, K, epoch, **how) for query in queries]
        wrong, answered, done = [], [0] * threads, threading.Event()

        def ask(thread: int) -> None:
            number = thread
            while not done.is_set():
                number = (number + 1) % len(queries)
                try:
                    if search(store, queries[number], K, epoch, **how) != right[number]:
                        wrong.append("another answer")
                except Exception as error:
                    wrong.append(repr(error))
                answered[thread] += 1

        workers = [threading.Thread(target=ask, args=(thread,)) for thread in range(threads)]
        for worker in workers:
            worker.start()
        started, inserted = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            insert_rows(store, folder, rows + inserted, rows + inserted + BLOCK)
            inserted += BLOCK
        took = time.perf_counter() - started
        done.set()
        for worker in workers:
            worker.join()
    shutil.rmtree(scratch, ignore_errors=True)
    print(
        f"{threads} threads, {mode}, {rows} rows: {sum(answered) / took:.0f} answers/s while {inserted / took:.0f} rows/s came in"
    )
    print(f"{len(wrong)} of {sum(answered)} answers wrong {wrong[:3]}")


# Words


def ask_by_words(folder: Path, rows: int) -> None:
    """Median times of the modes over real questions, each asked once, and of each of their statements."""
    from rag.retrieve.retriever import Retriever
    from sql.search.request import SearchRequest
    from sql.store import Store
    from sql.upkeep.cells import maintain_cells

    scratch = folder / f"words-{rows}"
    questions, queries = json.loads((folder / "texts.json").read_text())["questions"], np.load(folder / "queries.npy")
    with open_store(scratch) as store:
        if store.snapshot().chunk_count() < rows:
            insert_rows(store, folder, store.snapshot().chunk_count(), rows, words=True)
            maintain_cells(store, print)
            store.garbage.collect_unseen(grace_seconds=0)
            for table in ("chunks", "postings", "lengths", "manifest"):
                store.client.text(f"OPTIMIZE TABLE {table} FINAL", None)
        for ranking in ("vector", "words", "hybrid"):
            times: list[float] = []
            parts: dict[str, list[float]] = {}
            # A retriever and a snapshot of its own: the ranking before has counted words already.
            retriever, snapshot = Retriever(), Store(store.client).snapshot()
            for number, (question, vector) in enumerate(zip(questions, queries, strict=True)):
                steps: list[Any] = []
                started = time.perf_counter()
                request = SearchRequest(question, K, vector, ranking=ranking, language="en")
                retriever.retrieve(snapshot, request, steps.append)
                if number >= len(questions) - 4 * QUERIES:  # those before warm up
                    times.append(1000 * (time.perf_counter() - started))
                    for step in steps:
                        parts.setdefault(step.statement.name, []).append(1000 * step.seconds)
            told = ", ".join(f"{name} {np.median(ms):.1f} ({len(ms)})" for name, ms in parts.items())
            print(
                f"{ranking:7} p50 {np.median(times):.1f} ms, p90 {np.quantile(times, 0.9):.1f} ms: {told}", flush=True
            )


def main() -> None:
    """One of the commands above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["measure", "one", "table", "growth", "plot", "threads", "words"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--upto", type=int, default=GROWTH_SIZES[-1])
    parser.add_argument("--data", type=Path, default=Path(DEFAULT_FOLDER))
    options = parser.parse_args()
    if options.command == "measure":
        measure(options.names or ["all"], options.data, options.rows)
    elif options.command == "one":
        measure_one(options.names[0], options.data, options.rows)
    elif options.command == "table":
        show_table(options.data, options.rows)
    elif options.command == "growth":
        grow(options.data, options.upto)
    elif options.command == "words":
        ask_by_words(options.data, options.rows)
    elif options.command == "plot":
        plot(options.data)
    else:
        for mode in options.names or ["two-stage", "cells"]:
            ask_in_threads(options.data, options.rows, mode)


if __name__ == "__main__":
    main()
