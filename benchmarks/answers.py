"""Where the threshold of an answer should be: questions with known answers against questions of other documents.

    python benchmarks/answers.py DIR OTHER_DIR [OTHER_DIR ...] [--questions 300]

DIR is a folder in BEIR layout with answers.jsonl; the queries of the other folders are asked of DIR's documents, which
cannot answer them. For each least confidence: the part of DIR's own questions that get an answer and of those whose first
sentence, or any sentence, holds a known answer, and the part of the foreign questions that get one all the same.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from ingest.corpus import index_corpus
from ingest.synchronize import prepare
from rag.answer.answer import FURTHER_SENTENCES, MAX_SENTENCES, judge_sentences
from rag.evaluate.answer_measures import without_case
from rag.evaluate.beir import read_answers, read_corpus, read_queries
from rag.library import Library
from rag.retrieve.words import word_rarities
from sql.store import Store

if TYPE_CHECKING:
    from rag.encoder.encoder import Encoder

Item = TypeVar("Item")
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def main() -> None:
    """Prints a line for each threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("others", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=300, help="drawn from each folder (default %(default)s)")
    options = parser.parse_args()
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        library = Library(store)
        encoder = prepare(library)
        index_corpus(library, options.folder, read_corpus(options.folder))
        known = sample(list(read_answers(options.folder)), options.questions, draw)
        own = []
        for answer in known:
            confidence, ranked = rank(library, encoder, answer.question)
            least = FURTHER_SENTENCES * ranked[0][0] if ranked else 0.0
            right = [
                any(without_case(one) in text for one in answer.answers) for score, text in ranked if score >= least
            ]
            own.append((confidence, any(right[:1]), any(right)))
        foreign = {
            folder.name: [
                rank(library, encoder, query.text)[0]
                for query in sample(list(read_queries(folder)), options.questions, draw)
            ]
            for folder in options.others
        }
    print(f"{len(own)} questions of {options.folder.name}")
    print("confidence answered  first right  any right  " + "  ".join(f"answered of {name}" for name in foreign))
    for threshold in THRESHOLDS:
        answered = [one for one in own if one[0] >= threshold]
        first, anywhere = (sum(one[place] for one in answered) / max(len(answered), 1) for place in (1, 2))
        line = f"{threshold:9.2f}{len(answered) / len(own):10.1%}{first:13.1%}{anywhere:11.1%}"
        for name, scores in foreign.items():
            line += f"{sum(score >= threshold for score in scores) / len(scores):{14 + len(name)}.1%}"
        print(line)


def sample(items: list[Item], count: int, draw: random.Random) -> list[Item]:
    """Some items, the same on every run."""
    return draw.sample(items, min(count, len(items)))


def rank(library: Library, encoder: Encoder, question: str) -> tuple[float, list[tuple[float, str]]]:
    """The confidence, and score and text of the sentences an answer may take, best first."""
    vector = encoder.encode_query(question)
    snapshot = library.store.snapshot()
    hits = snapshot.with_outlines(library.search(question, vector=vector))
    ranked, confidence = judge_sentences(question, vector, hits, encoder, word_rarities(snapshot, question))
    return confidence, [(citation.score, without_case(citation.text)) for citation in ranked[:MAX_SENTENCES]]


if __name__ == "__main__":
    main()
