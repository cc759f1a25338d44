"""What a server costs beside the embedded engine: the rate of an ingest, and one query.

Each round does both on the same machine, one after the other, with the same chunks and questions. The server is a real
one on loopback (see `tests/server.py`), in a process of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

DIMENSIONS = 384


def main() -> None:
    """Prints one line a round and the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=5_000, help="chunks to store (default %(default)s)")
    parser.add_argument("--queries", type=int, default=50, help="questions a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument(
        "--encoding",
        type=float,
        default=77.0,
        help="chunks a second that the encoder gives (default %(default)s, from benchmarks/ingest_rate.py); "
        "the ingest rates are those of encoding and storing one after the other",
    )
    options = parser.parse_args()
    from server import running_server

    results: dict[str, list[tuple[float, float]]] = {"embedded": [], "server": []}
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            places = {"embedded": f"{folder}/{number}", "server": server.dsn(server.new_database())}
            for name, place in places.items():
                seconds, query = measure(place, options.chunks, options.queries)
                results[name].append((seconds, query))
                print(
                    f"round {number} {name:9} {options.chunks / seconds:8.0f} chunks/s stored, {query * 1e3:6.2f} ms a query"
                )
    stored = {name: options.chunks / min(seconds for seconds, _ in rounds) for name, rounds in results.items()}
    query = {name: min(query for _, query in rounds) for name, rounds in results.items()}
    rate = {name: 1 / (1 / options.encoding + 1 / per_second) for name, per_second in stored.items()}
    print(f"storing alone: server {stored['server'] / stored['embedded']:.0%} of the embedded rate")
    print(f"ingest with the encoder: server {rate['server'] / rate['embedded']:.1%} of the embedded rate")
    print(f"one query: {(query['server'] - query['embedded']) * 1e3:+.2f} ms over the embedded engine")


def measure(place: str, count: int, queries: int) -> tuple[float, float]:
    """Seconds to store `count` chunks in windows as an ingest does, and the median of a query."""
    from support import chunks_of, open_store, search, source_document

    from rag.int8.quantization import quantize_query, quantize_vectors
    from sql.store import ChunkBatch

    random = np.random.default_rng(0)
    vectors = quantize_vectors(random.standard_normal((512, DIMENSIONS)).astype(np.float32))
    text = "a sentence of about a hundred and eighty tokens, as chunks have them. " * 14
    with open_store(place, DIMENSIONS) as store:
        started = time.perf_counter()
        for first in range(0, count, 512):
            draft = store.writer.begin(source_document(f"{first}.txt"))
            chunks = chunks_of([f"{first + row} {text}" for row in range(512)])
            store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks], vectors))
            store.writer.publish([draft])
        seconds = (time.perf_counter() - started) * count / (-(-count // 512) * 512)
        times = []
        for _ in range(queries):
            query = quantize_query(random.standard_normal(DIMENSIONS).astype(np.float32))
            started = time.perf_counter()
            search(store, query, 5)
            times.append(time.perf_counter() - started)
    return seconds, median(times)


if __name__ == "__main__":
    main()
