"""Search by words, by meaning and by both: nDCG@10 by set and mode, milliseconds a question, bytes and seconds a chunk.

    python benchmarks/hybrid.py DIR [DIR ...] [--questions N] [--stores FOLDER]

DIRs are folders in BEIR layout. `ranks` is reciprocal rank fusion (k = 60) of the two rankings with the weights that
`hybrid` gives to their scores, `ranks-even` the same with equal weights: the alternatives that were not taken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.evaluate.beir import read_evaluation_set
from rag.evaluate.evaluation import rank_documents
from rag.evaluate.metrics import mean_measures
from rag.library import Library
from rag.text.analyser import choose_language, chunk_words
from sql.search.request import SearchRequest
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, 2009: reciprocal rank fusion
MODES = ("vector", "bm25", "hybrid", "ranks", "ranks-even")
BYTES = """
SELECT table, sum(data_compressed_bytes) AS bytes FROM system.parts
WHERE database = currentDatabase() AND active AND table IN ('postings', 'lengths', 'chunks') GROUP BY table ORDER BY table
"""


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=10_000, help="drawn from each set (default: all)")
    parser.add_argument("--stores", type=Path, help="keep the stores here (default: temporary ones)")
    options = parser.parse_args()
    print(f"{'set':16}" + "".join(f"{mode:>12}" for mode in MODES))
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            place = (options.stores or Path(scratch)) / folder.name
            with Store.open(str(place), write=True) as store:
                rows.append(measure_set(store, folder, options.questions))
    print(f"{'mean':16}" + "".join(f"{sum(row[mode] for row in rows) / len(rows):12.4f}" for mode in MODES))


def measure_set(store: Store, folder: Path, questions: int) -> dict[str, float]:
    """nDCG@10 of each mode on one set; prints it with the costs."""
    library = Library(store)
    encoder, given = prepare(library), read_evaluation_set(folder)
    index_corpus(library, folder, given.corpus)
    queries = random.Random(0).sample(given.queries, min(questions, len(given.queries)))
    qrels = {query.id: given.qrels[query.id] for query in queries if query.id in given.qrels}
    found: dict[str, dict[str, list[str]]] = {mode: {} for mode in MODES}
    seconds = dict.fromkeys(MODES, 0.0)
    for query, vector in zip(queries, encoder.encode_queries([query.text for query in queries]), strict=True):
        for mode in ("vector", "bm25", "hybrid"):
            started = time.perf_counter()
            found[mode][query.id] = rank_documents(library, SearchRequest(query.text, vector=vector), mode)
            seconds[mode] += time.perf_counter() - started
        share = library.retriever.vector_share(query.text)
        rankings = [found["vector"][query.id], found["bm25"][query.id]]
        found["ranks"][query.id] = fuse_ranks(rankings, [share, 1 - share])
        found["ranks-even"][query.id] = fuse_ranks(rankings, [0.5, 0.5])
    result = {mode: mean_measures(ranking, qrels)["ndcg@10"] for mode, ranking in found.items()}
    print(f"{folder.name:16}" + "".join(f"{result[mode]:12.4f}" for mode in MODES))
    print(f"{'  ms a question':16}" + "".join(f"{1000 * seconds[mode] / len(queries):12.1f}" for mode in MODES[:3]))
    show_costs(store)
    return result


def fuse_ranks(rankings: Sequence[Sequence[str]], weights: Sequence[float]) -> list[str]:
    """Reciprocal rank fusion: names in the order of sum of weight / (60 + rank), of equal ones the first by name.

    >>> fuse_ranks([["a", "b", "c"], ["b", "d", "a"]], [1, 1])  # a: 1/61 + 1/63, b: 1/62 + 1/61, c: 1/63, d: 1/62
    ['b', 'a', 'd', 'c']
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, name in enumerate(ranking, start=1):
            scores[name] = scores.get(name, 0.0) + weight / (RANK_CONSTANT + rank)
    return sorted(scores, key=lambda name: (-scores[name], name))


def show_costs(store: Store) -> None:
    """Bytes a chunk of the word index beside the rest of the chunk, and the time it takes to cut texts into terms."""
    texts = [text for _, text in store.snapshot().chunk_texts()]
    for table in ("postings", "lengths", "chunks"):
        store.client.text(f"OPTIMIZE TABLE {table} FINAL", None)
    sizes = dict(line.split("\t") for line in store.client.text(BYTES, "TSV").decode().splitlines())
    started = time.perf_counter()
    terms = sum(len(chunk_words(text, choose_language(text, "auto")).terms) for text in texts)
    seconds = time.perf_counter() - started
    each = ", ".join(f"{name} {int(size) / len(texts):.0f}" for name, size in sizes.items())
    print(
        f"  {len(texts)} chunks of {terms / len(texts):.0f} terms: bytes a chunk {each}; {len(texts) / seconds:.0f} chunks/s"
    )


if __name__ == "__main__":
    main()
