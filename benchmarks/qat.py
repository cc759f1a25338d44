"""Post-training quantization against quantization-aware training, on documents and queries that training never saw.

    python benchmarks/qat.py FOLDER... [--bits 4] [--weights per-channel] [--steps 250] [--json]

Each FOLDER is an evaluation set in BEIR layout. Its documents are split by the first part of their ids (paragraphs of
one article stay together) or one by one: two of three are trained on, without labels, and the rest is searched with the
queries that are judged on it. Training uses what `python -m rag model train --qat` uses; without --steps only the
post-training forms are measured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.encoder.checkpoint import EncoderConfig, is_checkpoint, read_checkpoint
from rag.encoder.convert import Recipe, quantize_smoothed, smooth_model
from rag.encoder.encoder import Encoder
from rag.encoder.kernel_float import FloatKernel
from rag.encoder.kernel_torch import TorchKernel
from rag.encoder.weights import float_model
from rag.evaluate.beir import read_corpus, read_judgements, read_queries
from rag.evaluate.metrics import mean_measures
from rag.text.tokenizer import Tokenizer
from rag.train.fake_quantization import FakeQuantizedEncoder
from rag.train.pairs import Passage
from rag.train.training import TrainingOptions, train
from sql.base.settings import DEFAULT_MODEL, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rag.encoder.kernel import Kernel


@dataclass(frozen=True)
class EvaluationSet:
    """The part of a set that is trained on, and the part that is searched."""

    name: str
    passages: list[Passage]
    ids: list[str]
    texts: list[str]
    queries: dict[str, str]
    qrels: Mapping[str, Mapping[str, int]]


def main() -> None:
    """Prints a row for each form: nDCG@10 of each set, its mean share of float32's, cosines to float32."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--weights", default="per-channel")
    parser.add_argument(
        "--ranges",
        nargs="+",
        default=["minmax", "mse"],
        help="of the post-training forms; the first is where training begins",
    )
    parser.add_argument("--steps", type=int, help="of training; none without it")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--objective", default="distill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=500, help="searched documents of a set at most")
    parser.add_argument("--hidden-weight", type=float, default=1.0)
    parser.add_argument("--measure", choices=["all", "trained"], default="all", help="which forms to measure")
    parser.add_argument("--dynamic", action="store_true", help="also simulate activations with a scale for each token")
    parser.add_argument("--out", type=Path, help="keep the trained model, and its state on the way, in this folder")
    options = parser.parse_args()
    sets = [split_set(folder, options.texts) for folder in options.folders]
    recipes = [Recipe(options.weights, options.bits, ranges) for ranges in options.ranges]
    settings = read_settings()
    with float_model(DEFAULT_MODEL, offline=settings.offline) as model, tempfile.TemporaryDirectory() as scratch:
        trained = options.out or Path(scratch) / "trained"
        if options.steps and not is_checkpoint(trained):
            passages = [passage for one in sets for passage in one.passages]
            summary = train(
                model, passages, trained, options_of(options, recipes[0]), announce=print, progress=show_progress
            )
            print(json.dumps(asdict(summary)), flush=True)
        smoothed = smooth_model(model)
        bench = Bench(sets, Tokenizer.from_bytes(smoothed.tokenizer, smoothed.config.max_tokens), smoothed.config)
        bench.show("float32", FloatKernel(model, smoothed.config))
        if options.measure == "all":
            bench.show("int8 per channel (default)", TorchKernel(quantize_smoothed(smoothed, Recipe())))
            for recipe in recipes:
                bench.show(f"post-training, {recipe.ranges}", TorchKernel(quantize_smoothed(smoothed, recipe)))
        if options.dynamic:
            bench.show("post-training, per token", Simulated(FakeQuantizedEncoder(smoothed, recipes[0], "dynamic")))
        if options.steps:
            bench.show(f"trained {options.steps} steps", TorchKernel(read_checkpoint(trained)))


def options_of(options: argparse.Namespace, recipe: Recipe) -> TrainingOptions:
    """The training that was asked for."""
    return TrainingOptions(
        recipe=recipe,
        objective=options.objective,
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        max_tokens=options.max_tokens,
        hidden_weight=options.hidden_weight,
    )


def show_progress(step: int, steps: int, loss: float) -> None:
    """A line every 10 steps."""
    if step % 10 == 0 or step in {1, steps}:
        print(f"step {step}/{steps} loss {loss:.5f}", flush=True)


class Simulated:
    """The fake-quantized encoder as a kernel: for forms that the kernels do not compute."""

    name = "simulated"
    pads = True

    def __init__(self, encoder: FakeQuantizedEncoder) -> None:
        self.encoder = encoder

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions)."""
        import torch

        with torch.inference_mode():
            vectors: NDArray[np.float32] = self.encoder(torch.from_numpy(ids), torch.from_numpy(lengths))[0].numpy()
        return vectors


class Bench:
    """The evaluation sets, and float32's vectors and scores to compare with."""

    def __init__(self, sets: Sequence[EvaluationSet], tokenizer: Tokenizer, config: EncoderConfig) -> None:
        self.sets, self.tokenizer, self.config = sets, tokenizer, config
        self.reference: list[tuple[float, NDArray[np.float32], NDArray[np.float32]]] = []
        print(
            f"{'':30}"
            + "".join(f"{one.name:>12}" for one in sets)
            + f"{'kept':>9}{'cosine':>9}{'least':>9}{'queries':>9}"
        )

    def show(self, name: str, kernel: Kernel) -> None:
        """Encodes everything with a kernel and prints its row; the first kernel is the reference."""
        encoder = Encoder(self.config, self.tokenizer, lambda: kernel)
        rows = []
        for one in self.sets:
            documents = encoder.encode([cut(text, self.tokenizer) for text in one.texts])
            queries = encoder.encode_queries(list(one.queries.values()))
            scores = queries @ documents.T
            rankings = {
                query: [one.ids[column] for column in np.argsort(-row, kind="stable")[:100]]
                for query, row in zip(one.queries, scores, strict=True)
            }
            rows.append((mean_measures(rankings, one.qrels)["ndcg@10"], documents, queries))
        self.reference = self.reference or rows
        kept = np.mean([row[0] / base[0] for row, base in zip(rows, self.reference, strict=True)])
        documents, queries = (
            np.concatenate(
                [(row[part] * base[part]).sum(axis=1) for row, base in zip(rows, self.reference, strict=True)]
            )
            for part in (1, 2)
        )
        print(
            f"{name:30}"
            + "".join(f"{row[0]:12.4f}" for row in rows)
            + f"{kept:9.2%}{documents.mean():9.4f}{documents.min():9.4f}{queries.mean():9.4f}",
            flush=True,
        )


def split_set(folder: Path, limit: int) -> EvaluationSet:
    """Two thirds of a set's documents as passages, the rest with the queries that are judged on it alone."""
    corpus = list(read_corpus(folder))
    searched = [document for document in corpus if is_searched(document.id)][:limit]
    ids = {document.id for document in searched}
    judged = read_judgements(folder, {query.id for query in read_queries(folder)}, {document.id for document in corpus})
    qrels = {}
    for query, grades in judged.qrels.items():
        left = {document: grade for document, grade in grades.items() if document in ids}
        if any(grade > 0 for grade in left.values()):
            qrels[query] = left
    texts = {query.id: query.text for query in read_queries(folder)}
    return EvaluationSet(
        name=folder.name,
        passages=[
            Passage(f"{document.title}\n\n{document.text}".strip(), document.title, document.text)
            for document in corpus
            if not is_searched(document.id)
        ],
        ids=[document.id for document in searched],
        texts=[f"{document.title}\n\n{document.text}".strip() for document in searched],
        queries={query: texts[query] for query in qrels},
        qrels=qrels,
    )


def is_searched(document: str) -> bool:
    """Whether a document belongs to the third that is searched: by the digest of the first part of its id."""
    return sha256(document.split("-")[0].encode()).digest()[0] % 3 == 0


def cut(text: str, tokenizer: Tokenizer) -> str:
    """As much of a text as the encoder reads, to the end of a token."""
    spans = tokenizer.spans(text)
    return text if len(spans) <= tokenizer.max_text_tokens else text[: int(spans[tokenizer.max_text_tokens - 1][1])]


if __name__ == "__main__":
    main()
