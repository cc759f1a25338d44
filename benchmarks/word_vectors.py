"""Text search in SQL alone against the encoder: nDCG@10 by set, what share of the encoder's it is, milliseconds, bytes.

    python benchmarks/word_vectors.py DIR [DIR ...] [--questions N] [--stores FOLDER]

DIRs are folders in BEIR layout. `vector` and `hybrid` are searches with the encoder, `words` is nearest_to_question and
`fused` is text_search: SELECTs that get the text of a question and nothing else. Milliseconds are CPU time of this process.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.evaluate.beir import read_evaluation_set
from rag.evaluate.evaluation import rank_documents
from rag.evaluate.metrics import mean_measures
from rag.index.word_vectors import add_word_vectors, word_vectors_sentence
from rag.library import Library
from sql.search.request import SearchRequest
from sql.store import Store

MODES = ("vector", "words", "hybrid", "fused")
CHUNKS = 30  # from which ten documents are taken
SEARCHES = {
    "words": "SELECT source FROM nearest_to_question(epoch = {epoch:UInt64}, question = {question:String}) "
    "ORDER BY score DESC, document_id, chunk_index LIMIT {k:UInt32}",
    "fused": "SELECT source FROM text_search(epoch = {epoch:UInt64}, question = {question:String}, k = {k:UInt32})",
}


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=10_000, help="drawn from each set (default: all)")
    parser.add_argument("--stores", type=Path, help="keep the stores here (default: temporary ones)")
    options = parser.parse_args()
    print(f"{'set':16}" + "".join(f"{mode:>10}" for mode in MODES) + f"{'words/vector':>14}{'fused/hybrid':>14}")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            with Store.open(str((options.stores or Path(scratch)) / folder.name), write=True) as store:
                measure_set(store, folder, options.questions)


def measure_set(store: Store, folder: Path, questions: int) -> None:
    """Prints nDCG@10 of each search on one set, and what the table of word vectors costs."""
    library = Library(store)
    encoder, given = prepare(library), read_evaluation_set(folder)
    index_corpus(library, folder, given.corpus)
    started = time.process_time()
    counts = add_word_vectors(store, encoder, begin=True)
    making = time.process_time() - started
    queries = random.Random(0).sample(given.queries, min(questions, len(given.queries)))
    qrels = {query.id: given.qrels[query.id] for query in queries if query.id in given.qrels}
    found: dict[str, dict[str, list[str]]] = {mode: {} for mode in MODES}
    seconds = dict.fromkeys(MODES, 0.0)
    for query in queries:
        for mode in MODES:
            started = time.process_time()
            if mode in SEARCHES:
                found[mode][query.id] = search_in_sql(store, mode, query.text)
            else:
                vector = encoder.encode_query(query.text)
                found[mode][query.id] = rank_documents(library, SearchRequest(query.text, vector=vector), mode)
            seconds[mode] += time.process_time() - started
    result = {mode: mean_measures(ranking, qrels)["ndcg@10"] for mode, ranking in found.items()}
    shares = result["words"] / result["vector"], result["fused"] / result["hybrid"]
    print(
        f"{folder.name:16}"
        + "".join(f"{result[mode]:10.4f}" for mode in MODES)
        + "".join(f"{share:14.3f}" for share in shares)
    )
    print(f"{'  ms a question':16}" + "".join(f"{1000 * seconds[mode] / len(queries):10.1f}" for mode in MODES))
    if counts is not None:
        print(f"  {store.snapshot().chunk_count()} chunks; {word_vectors_sentence(counts)}; made in {making:.0f} s")


def search_in_sql(store: Store, mode: str, question: str) -> list[str]:
    """The sources that a SELECT finds for the text of a question, each once, best first."""
    values = {"epoch": store.epoch(), "question": question, "k": CHUNKS}
    lines = store.client.text(SEARCHES[mode], "JSONEachRow", values).splitlines()
    return list(dict.fromkeys(json.loads(line)["source"] for line in lines))


if __name__ == "__main__":
    main()
