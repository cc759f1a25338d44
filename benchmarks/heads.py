"""A cross-encoder on int8 beside the same model in float32, in one run: milliseconds for the candidates of one question.

    python benchmarks/heads.py [--passages N] [--tokens N] [--rounds N] [--layers N] [--json]

The model is a BERT of the size of MiniLM-L6 (6 layers, 384 dimensions, 12 heads) with drawn weights and the default model's
tokenizer: weights decide nothing about speed. It scores passages of so many tokens for one question. Every round runs all
forms in turn and the fastest round of each counts; CPU time is that of all threads. Correlations of scores are low here:
those of drawn weights hardly differ. A reader costs the same a token.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.encoder.pairs import PairModel

QUESTION = "How long does the server keep the oldest version of a file?"


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one form; `times` is how many times faster than transformers it was."""

    name: str
    milliseconds: float
    cpu_milliseconds: float
    times: float
    correlation: float


def main() -> None:
    """Prints a table, or JSON: one row a form."""
    options = make_parser().parse_args()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        model, transformers_scores = make_forms(Path(folder), options.layers)
        tokenizer = model.encoder.tokenizer
        from rag.text.sample_text import sample_passages

        passages = sample_passages(tokenizer, options.passages, options.tokens)
        pairs = [len(windows[0].ids) for windows in tokenizer.pairs(QUESTION, passages)]
        forms: dict[str, Callable[[], Any]] = {
            "transformers float32": lambda: transformers_scores(passages),
            f"int8-rag {model.encoder.kernel.name}": lambda: model.scores(QUESTION, passages),
        }
        rows = measure(forms, options.rounds)
    run = {"passages": len(passages), "tokens": sum(pairs), "tokens_per_pair": round(float(np.mean(pairs)), 1)}
    if options.json:
        print(json.dumps({"run": run, "forms": [asdict(row) for row in rows]}, indent=2))
        return
    print(f"{run['passages']} pairs of {run['tokens_per_pair']} tokens")
    print(f"{'':44}{'ms':>9}{'CPU ms':>9}{'times':>8}{'corr.':>9}")
    for row in rows:
        print(f"{row.name:44}{row.milliseconds:9.1f}{row.cpu_milliseconds:9.1f}{row.times:8.2f}{row.correlation:9.5f}")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=30, metavar="N", help="candidates (default %(default)s)")
    parser.add_argument("--tokens", type=int, default=200, metavar="N", help="of a passage (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds to run (default %(default)s)")
    parser.add_argument("--layers", type=int, default=6, metavar="N", help="of the model (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def make_forms(folder: Path, layers: int) -> tuple[PairModel, Callable[[list[str]], Any]]:
    """The int8 model, and a function that scores passages as transformers' users do."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils import logging

    import rag.compute.torch_door  # noqa: F401 (decides over torch's threads)
    from rag.encoder.heads import RERANK
    from rag.encoder.pairs import load_pair_model
    from rag.encoder.weights import float_model
    from sql.base.settings import DEFAULT_MODEL, Settings, read_settings

    logging.disable_progress_bar()
    torch.manual_seed(0)
    sizes = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536, "num_hidden_layers": layers}
    drawn = BertForSequenceClassification(BertConfig(**sizes, num_labels=1, initializer_range=0.1)).eval()
    drawn.save_pretrained(folder / "model")
    offline = read_settings().offline
    with float_model(DEFAULT_MODEL, offline=offline) as default:
        (folder / "model" / "tokenizer.json").write_bytes((default.folder / "tokenizer.json").read_bytes())
    settings = Settings(store=".rag", model=None, cache=folder / "cache", offline=True)
    model = load_pair_model(settings, str(folder / "model"), RERANK)

    def scores(passages: list[str]) -> Any:
        pairs = [windows[0] for windows in model.encoder.tokenizer.pairs(QUESTION, passages)]
        wide = max(len(pair.ids) for pair in pairs)

        def padded(rows: list[list[int]]) -> torch.Tensor:
            return torch.tensor([row + [0] * (wide - len(row)) for row in rows])

        with torch.inference_mode():
            logits = drawn(
                input_ids=padded([pair.ids for pair in pairs]),
                token_type_ids=padded([pair.types for pair in pairs]),
                attention_mask=padded([[1] * len(pair.ids) for pair in pairs]),
            ).logits
        return torch.sigmoid(logits[:, 0]).numpy()

    return model, scores


def measure(forms: dict[str, Callable[[], Any]], rounds: int) -> list[Row]:
    """Runs all forms in turn; the fastest round of each counts. Correlations are those of the scores with the first's."""
    found = {name: work() for name, work in forms.items()}
    wall, cpu = ({name: float("inf") for name in forms} for _ in range(2))
    for _ in range(rounds):
        for name, work in forms.items():
            started, busy = time.perf_counter(), time.process_time()
            work()
            wall[name] = min(wall[name], time.perf_counter() - started)
            cpu[name] = min(cpu[name], time.process_time() - busy)
    first = next(iter(forms))
    return [
        Row(
            name,
            round(1000 * wall[name], 1),
            round(1000 * cpu[name], 1),
            round(wall[first] / wall[name], 2),
            round(float(np.corrcoef(found[name], found[first])[0, 1]), 5),
        )
        for name in forms
    ]


if __name__ == "__main__":
    main()
