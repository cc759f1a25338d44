"""Search: recall@10 against exact float32, p50 and CPU time one query at a time, build time, bytes on disk and memory.

    make search-data                                              (once: the vectors, see benchmarks/search_data.py)
    python benchmarks/search.py measure NAME... [--rows 300000]   (timed in turn, the results are kept)
    python benchmarks/search.py table [--rows 300000]             (what was measured, as a Markdown table)
    python benchmarks/search.py wrong                             (what the engine's own ways to search get wrong)
    python benchmarks/search.py growth [--upto 3000000]           (our searches from 100,000 rows on; resumable)
    python benchmarks/search.py plot                              (search-growth.png)
    python benchmarks/search.py threads [two-stage] [cells]       (16 threads ask while one ingests)
    python benchmarks/search.py words [--rows 300000]             (meaning, words, both, with CPU, and each statement)

NAME is `ours` (exact and two-stage), `ours-cells`, the same with codes of 4 bits (`ours-4-bits`, `ours-4-bits-cells`), one
of the engine's own ways (`clickhouse-float32`, as a table is made without further thought, `clickhouse-float32-none`, not
compressed, `clickhouse-bfloat16`, `clickhouse-hnsw`, `clickhouse-rabitq`, `clickhouse-turboquant`,
`clickhouse-quantized-int8`, `clickhouse-product`, `clickhouse-qbit`, `clickhouse-qbit-own`), a library or another database
(`faiss-sq8`, `faiss-hnsw`, `usearch-i8`, `lancedb`, `sqlite-vec`, `duckdb`), or `all`. Those named together are built one
after another and then timed in turn, so that load on the machine falls on all of them; where a setting trades time for
recall, the first to reach each of 0.98, 0.99 and 0.995 is timed (benchmarks/search_measure.py). A peer that is not installed
(`pip install -e .[benchmarks]`) is named and passed over. Our times include both statements of a read, the reading of text
and metadata of the hits, and Python's share; the peers return ids.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import search_clickhouse
import search_libraries
import search_ours
from search_data import BLOCK, DEFAULT_FOLDER
from search_measure import QUERIES, ROUNDS, K, in_turn
from search_ours import insert_rows, open_store, search
from search_wrong import show_wrong

GROWTH_SIZES = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000)
NEEDS = {"faiss": "faiss", "usearch": "usearch", "lancedb": "lancedb", "sqlite": "apsw", "duckdb": "duckdb"}


# Measuring


SYSTEMS: dict[str, Any] = {
    **search_ours.SYSTEMS,
    **search_clickhouse.SYSTEMS,
    **search_libraries.SYSTEMS,
}


def measure(names: list[str], folder: Path, rows: int) -> None:
    """Every system that is installed, in turn; the results go to `results/`."""
    asked = list(SYSTEMS) if names == ["all"] else names
    missing = {name: NEEDS[name.split("-")[0]] for name in asked if not installed(name)}
    for name, needed in missing.items():
        print(f"{name}: {needed} is not installed, passed over")
    (folder / "results").mkdir(exist_ok=True)
    chosen = {name: SYSTEMS[name] for name in asked if name not in missing}
    for name, points in in_turn(chosen, folder, rows):
        (folder / "results" / f"{rows}-{name}.json").write_text(json.dumps([point.record() for point in points]))
    show_table(folder, rows, list(chosen))


def installed(name: str) -> bool:
    """Whether what a system needs is there."""
    needed = NEEDS.get(name.split("-")[0])
    return needed is None or importlib.util.find_spec(needed) is not None


def show_table(folder: Path, rows: int, names: list[str]) -> None:
    """The results of some systems, or of all, for so many rows."""
    paths = [folder / "results" / f"{rows}-{name}.json" for name in names or SYSTEMS]
    found = [one for path in paths if path.exists() for one in json.loads(path.read_text())]
    print("| search | recall@10 | clock | CPU | built in | CPU | on disk | memory |\n|---|---|---|---|---|---|---|---|")
    for one in sorted(found, key=lambda one: one["cpu_ms"]):
        print(
            f"| {one['name']} | {one['recall']:.4f} | {one['ms']:.1f} ms | {one['cpu_ms']:.1f} ms | {one['build']:.0f} s | "
            f"{one['build_cpu']:.0f} s | {one['bytes'] / 1e6:.0f} MB | {one['mib']:.0f} MiB |"
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
            used: list[float] = []
            parts: dict[str, list[float]] = {}
            # A retriever and a snapshot of its own: the ranking before has counted words already.
            retriever, snapshot = Retriever(), Store(store.client).snapshot()
            for number, (question, vector) in enumerate(zip(questions, queries, strict=True)):
                steps: list[Any] = []
                started, cpu = time.perf_counter(), time.process_time()
                request = SearchRequest(question, K, vector, ranking=ranking, language="en")
                retriever.retrieve(snapshot, request, steps.append)
                if number >= len(questions) - 4 * QUERIES:  # those before warm up
                    times.append(1000 * (time.perf_counter() - started))
                    used.append(1000 * (time.process_time() - cpu))
                    for step in steps:
                        parts.setdefault(step.statement.name, []).append(1000 * step.seconds)
            told = ", ".join(f"{name} {np.median(ms):.1f} ({len(ms)})" for name, ms in parts.items())
            print(
                f"{ranking:7} p50 {np.median(times):.1f} ms, p90 {np.quantile(times, 0.9):.1f} ms, "
                f"CPU p50 {np.median(used):.1f} ms, lower quartile {np.quantile(used, 0.25):.1f} ms: {told}",
                flush=True,
            )


def main() -> None:
    """One of the commands above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["measure", "table", "wrong", "growth", "plot", "threads", "words"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--upto", type=int, default=GROWTH_SIZES[-1])
    parser.add_argument("--data", type=Path, default=Path(DEFAULT_FOLDER))
    options = parser.parse_args()
    if options.command == "measure":
        measure(options.names or ["all"], options.data, options.rows)
    elif options.command == "table":
        show_table(options.data, options.rows, options.names)
    elif options.command == "wrong":
        show_wrong(options.data)
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
