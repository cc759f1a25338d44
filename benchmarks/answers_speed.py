"""What an answer takes beside a search: the same questions searched for and asked, in turn, in one process.

    python benchmarks/answers_speed.py FOLDER [--questions 100]

FOLDER is in BEIR layout. Each question is searched for and then asked, twice: the second time its chunks are remembered
(rag/encoder/states.py). Milliseconds are medians; those of the CPU are of all threads.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.evaluate.beir import read_corpus, read_queries
from rag.library import Library
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

WARMING = 10  # questions before the clock runs


def main() -> None:
    """Prints a line for each pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=100, help="drawn from the set (default %(default)s)")
    options = parser.parse_args()
    texts = [query.text for query in read_queries(options.folder)]
    drawn = random.Random(0).sample(texts, min(len(texts), options.questions + WARMING))
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        library = Library(store)
        prepare(library)
        index_corpus(library, options.folder, read_corpus(options.folder))
        library.document_encoder()  # torch, as a server has it
        for question in drawn[:WARMING]:
            library.ask(question)
        for name in ("first time", "again"):
            measure(library, drawn[WARMING:], name)


def measure(library: Library, questions: list[str], name: str) -> None:
    """A pass over the questions: what a search takes, an answer, and the answer more than the search."""
    searched, asked = [], []
    for question in questions:
        searched.append(taken(lambda question=question: library.search(question)))  # type: ignore[misc]
        asked.append(taken(lambda question=question: library.ask(question)))  # type: ignore[misc]
    for place, clock in enumerate(("wall", "CPU")):
        search, ask = [one[place] for one in searched], [one[place] for one in asked]
        more = median(after - before for before, after in zip(search, ask, strict=True))
        print(
            f"{name:10} {clock:4}: search {median(search):6.1f} ms, answer {median(ask):6.1f} ms, more {more:6.1f} ms"
        )


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the clock and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


if __name__ == "__main__":
    main()
