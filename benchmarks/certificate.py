"""How often the best 1, 5 and 10 hits are proven to be those of float32 vectors, by set and ranking, and what it costs.

    python benchmarks/certificate.py DIR [DIR ...] [--questions N] [--quantizer NAME]

DIRs are folders in BEIR layout. `all` is the part of the questions all of whose k hits are certain, `hits` the mean number of
certain hits, `order` the part whose order is certain too, `ms` what the certificate adds to a search (median).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

import argparse
import random
import tempfile
import time

import numpy as np

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.evaluate.beir import read_evaluation_set
from rag.library import Library
from rag.retrieve.certified import certify_hits
from sql.base.settings import QUANTIZERS
from sql.records.calibration import Quantizer
from sql.search.request import SearchRequest
from sql.store import Store

DEPTHS = (1, 5, 10)
RANKINGS = ("vector", "hybrid")


def main() -> None:
    """Prints a line for each set, ranking and depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=10_000, help="drawn from each set (default: all)")
    parser.add_argument("--quantizer", default=Quantizer(QUANTIZERS[0]).name, help="default: %(default)s")
    options = parser.parse_args()
    print(f"{'set':16}{'chunks':>8}  {'ranking':8}{'k':>4}{'all':>8}{'hits':>8}{'order':>8}{'ms':>8}")
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as place, Store.open(place, write=True) as store:
            measure_set(store, folder, options.questions, Quantizer.from_name(options.quantizer))


def measure_set(store: Store, folder: Path, questions: int, quantizer: Quantizer) -> None:
    """Indexes a set and prints its lines."""
    library = Library(store)
    prepare(library, quantizer.kind, quantizer.granularity, quantizer.ranges, quantizer.bits)
    given = read_evaluation_set(folder)
    index_corpus(library, folder, given.corpus)
    queries = random.Random(0).sample(given.queries, min(questions, len(given.queries)))
    vectors = [library.encoder.encode_query(query.text) for query in queries]
    snapshot = store.snapshot()
    for ranking in RANKINGS:
        for depth in DEPTHS:
            found, seconds = [], []
            for query, vector in zip(queries, vectors, strict=True):
                request = SearchRequest(query.text, depth, vector=vector, ranking=ranking)
                hits = library.retriever.retrieve(snapshot, request)
                started = time.perf_counter()
                found.append(certify_hits(library.retriever, snapshot, request, hits))
                seconds.append(time.perf_counter() - started)
            everything = np.mean([not one.outsider for one in found])
            order = np.mean([not one.outsider and not one.open for one in found])
            certain = np.mean([one.certain for one in found])
            milliseconds = 1000 * np.median(seconds)
            print(
                f"{folder.name:16}{snapshot.chunk_count():8,}  {ranking:8}{depth:4}{everything:8.3f}{certain:8.2f}"
                f"{order:8.3f}{milliseconds:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
