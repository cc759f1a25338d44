"""What row policies cost a search: the processor time of the server, with them and without, in turn on the same store.

Two users read the same documents: for one of them policies hold, and every document is open to `everyone`; the other has the
role for all documents. So both find the same, and what differs is the work of the policies. A real server on loopback
(see `tests/server.py`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

if TYPE_CHECKING:
    from collections.abc import Callable

    from sql.store import Store

DIMENSIONS = 384
WORDS = 5_000
WITH, WITHOUT = "ben", "reader"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints a line for each kind of search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=24_000, help="chunks to store (default %(default)s)")
    parser.add_argument("--documents", type=int, default=2_400, help="that they belong to (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each search (default %(default)s)")
    parser.add_argument("--queries", type=int, default=8, help="questions a round (default %(default)s)")
    options = parser.parse_args()
    from server import ALL_DOCUMENTS, running_server
    from support import open_store

    from sql.store import Store

    with running_server() as server, ExitStack() as stack:
        database = server.guarded_database()
        with open_store(server.dsn(database), DIMENSIONS) as store:
            fill(store, options.chunks, options.documents)
        server.ask(f"GRANT {ALL_DOCUMENTS} TO {WITHOUT}", user="root")
        readers = {user: stack.enter_context(Store.open(server.dsn(database, user))) for user in (WITH, WITHOUT)}
        assert server.process is not None
        spent = measure(readers, server.process.pid, options.rounds, options.queries)
    for name, times in spent.items():
        guarded, bare = (median(times[user]) for user in (WITH, WITHOUT))
        print(
            f"{name:10} {bare * 1e3:7.1f} ms without policies, {guarded * 1e3:7.1f} ms with them: {guarded / bare:.2f} times"
        )


def fill(store: Store, chunks: int, documents: int) -> None:
    """Stores drawn vectors and words, and opens every document to everyone."""
    from support import chunks_of, source_document

    from rag.int8.quantization import quantize_vectors
    from rag.text.analyser import ANALYSER, chunk_words
    from sql.store import ChunkBatch
    from sql.store.groups import EVERYONE, DocumentGroups

    store.revise(analyser=ANALYSER)
    random = np.random.default_rng(0)
    rarity = 1 / np.arange(1, WORDS + 1)
    each = chunks // documents
    ids = []
    for first in range(0, documents, 200):
        drafts = [
            store.writer.begin(source_document(f"{number}.txt")) for number in range(first, min(documents, first + 200))
        ]
        rows, words = [], []
        for draft in drafts:
            drawn = random.choice(WORDS, (each, 40), p=rarity / rarity.sum())
            texts = [" ".join(f"word{number}" for number in row) for row in drawn]
            rows += [(draft, chunk) for chunk in chunks_of(texts)]
            words += [chunk_words(text, "en") for text in texts]
        vectors = quantize_vectors(random.standard_normal((len(rows), DIMENSIONS)).astype(np.float32))
        store.writer.insert(ChunkBatch(rows, vectors, words))
        store.writer.publish(drafts)
        ids += [draft.document_id for draft in drafts]
    DocumentGroups(store).set({document_id: [EVERYONE] for document_id in ids})


def measure(readers: dict[str, Store], process: int, rounds: int, queries: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of the server's processor time for one search of each kind, by kind and user; both users in turn."""
    random = np.random.default_rng(1)
    spent: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(rounds + 1):  # the first one warms up
        vectors = random.standard_normal((queries, DIMENSIONS)).astype(np.float32)
        numbers = random.integers(0, WORDS, (queries, 4))
        for name, run in searches().items():
            for user, store in readers.items():
                before = processor_time(process)
                for vector, some in zip(vectors, numbers, strict=True):
                    run(store, vector, [f"word{number}" for number in some])
                spent[name][user].append((processor_time(process) - before) / queries)
    return {name: {user: found[1:] for user, found in times.items()} for name, times in spent.items()}


def searches() -> dict[str, Callable[[Store, np.ndarray, list[str]], object]]:
    """The ways of searching: by vectors, by words, and by both in one statement as small stores are searched."""
    from support import search

    from rag.int8.quantization import quantize_query
    from rag.library import Library
    from sql.search.request import SearchRequest

    return {
        "epoch": lambda store, vector, words: store.epoch(),
        "exact": lambda store, vector, words: search(store, quantize_query(vector), 10, strategy="exact"),
        "two-stage": lambda store, vector, words: search(store, quantize_query(vector), 10, strategy="two-stage"),
        "words": lambda store, vector, words: Library(store, None).search(" ".join(words), k=10, ranking="words"),
        "everything": lambda store, vector, words: store.snapshot().score_everything(
            quantize_query(vector), SearchRequest(k=10), words
        ),
    }


def processor_time(process: int) -> float:
    """Seconds that a process has computed; its clock has steps of a hundredth."""
    numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / TICKS


if __name__ == "__main__":
    main()
