"""What a reader learns from so many questions of one's own: articles left out, float32 and int8, against the default.

    python benchmarks/reader_training.py DIR --left-out ARTICLE [ARTICLE ...] --out FOLDER [--questions 250 1000]
                                             [--epochs 2] [--minutes N]

DIR is a folder in BEIR layout with answers.jsonl, whose lines name a doc_id, answer_start and, for questions without an
answer, "unanswerable"; an article is what a doc_id begins with, up to its last hyphen. For each number of questions a reader
is trained as `rag model train --reader` does on questions drawn from the other articles, 0 standing for all, and then asked
those of the articles left out, each with its own passage. FOLDER keeps the readers and results.jsonl; what is there is not
done again, and a run that was stopped goes on. --minutes stops by itself after a while.

Printed for each: the area under the curve for answerable or not, and the F1 of the best span over the questions that have an
answer; for the extractive default, of the first sentence. `any sentence` is the F1 of the best of all sentences: what
quoting whole sentences can reach at most.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from rag.encoder.encoder import load_encoder
from rag.encoder.weights import float_model
from rag.evaluate.abstention import roc_area
from rag.evaluate.answer_measures import f1
from rag.evaluate.beir import read_corpus
from rag.train.heads import train_head
from rag.train.labelled import ReadExample
from rag.train.training import SAVE_EVERY, TrainingOptions
from sql.base.settings import DEFAULT_MODEL, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


class TimeIsUp(Exception):
    """Raised where the state has just been saved."""


def main() -> None:
    """Trains what is missing, and prints a line for each."""
    options = make_parser().parse_args()
    examples = read_examples(options.folder)
    left_out = [one for one in examples if one.group in options.left_out]
    learned = [one for one in examples if one.group not in options.left_out]
    print(
        f"{len(learned)} questions of {len({one.group for one in learned})} articles, {len(left_out)} of others",
        flush=True,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    show("default", default_figures(options.out, left_out))
    until = time.monotonic() + 60 * options.minutes if options.minutes else None
    for count in options.questions:
        if (result := trained(options, learned, left_out, count or len(learned), until)) is None:
            print("stopped; the same command goes on")
            return
        show(f"{result['examples']} questions, {result['steps']} steps", result["float32"], result["int8"])


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--left-out", nargs="+", required=True, metavar="ARTICLE")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minutes", type=float)
    return parser


def read_examples(folder: Path) -> list[ReadExample]:
    """Every question of the folder with its own passage."""
    texts = {document.id: document.text for document in read_corpus(folder)}
    found = []
    for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        text, answers = texts[entry["doc_id"]], [] if entry.get("unanswerable") else entry["answers"]
        starts = tuple(entry["answer_start"][: len(answers)])
        article = entry["doc_id"].rpartition("-")[0]
        found.append(ReadExample(entry["question"], text, tuple(answers), starts, article))
    return found


def trained(
    options: argparse.Namespace,
    learned: Sequence[ReadExample],
    left_out: Sequence[ReadExample],
    count: int,
    until: float | None,
) -> dict[str, object] | None:
    """The result of one reader, from results.jsonl or made now; None where the time is up."""
    results = options.out / "results.jsonl"
    name = f"reader-{count}-{options.epochs}"
    for line in results.read_text().splitlines() if results.exists() else []:
        if Path(json.loads(line)["folder"]).name == name:
            return dict(json.loads(line))
    drawn = np.random.default_rng(0).permutation(len(learned))[:count]
    started = time.monotonic()

    def progress(step: int, steps: int, loss: float) -> None:
        if step % SAVE_EVERY == 0:
            print(f"{name}: step {step} of {steps}, loss {loss:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            if until is not None and time.monotonic() > until and step < steps:
                raise TimeIsUp

    training = TrainingOptions(objective="read", epochs=options.epochs, max_tokens=256)
    try:
        with float_model(DEFAULT_MODEL, offline=True) as model:
            examples = [learned[number] for number in sorted(drawn)]
            summary = train_head(
                model, examples, options.out / name, training, judged=left_out, device="cpu", progress=progress
            )
    except TimeIsUp:
        return None
    record = asdict(summary)
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record


def default_figures(folder: Path, examples: Sequence[ReadExample]) -> dict[str, float | None]:
    """The extractive default on the same: its first sentence and that one's score, as far as the passage alone decides."""
    kept = folder / "default.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    from rag.answer.answer import rank_sentences
    from sql.records import Hit

    encoder = load_encoder(read_settings())
    scores, words, best = [], [], []
    by_passage: dict[str, list[ReadExample]] = defaultdict(list)
    for example in examples:
        by_passage[example.passage].append(example)
    ordered = [example for same in by_passage.values() for example in same]
    for example in ordered:
        passage = example.passage
        hit = Hit("passage", "", "", 0, len(passage), 1, 0, passage, UUID(int=1), 0, 0.5)
        ranked = rank_sentences(example.question, encoder.encode_query(example.question), [hit], encoder)
        scores.append(ranked[0].score if ranked else 0.0)
        if example.answers:
            found = [f1(citation.text, example.answers) for citation in ranked] or [0.0]
            words.append(found[0])
            best.append(max(found))
    figures = {
        "auc": roc_area(scores, [bool(one.answers) for one in ordered]),
        "f1": float(np.mean(words)),
        "any sentence": float(np.mean(best)),
    }
    kept.write_text(json.dumps(figures))
    return figures


def show(name: str, *figures: object) -> None:
    """One line."""
    parts = [
        ", ".join(f"{key} {value:.3f}" for key, value in dict(one).items() if value is not None)  # type: ignore[call-overload]
        for one in figures
    ]
    print(f"{name}: " + (f"float32 {parts[0]}; int8 {parts[1]}" if len(parts) > 1 else parts[0]), flush=True)


if __name__ == "__main__":
    main()
