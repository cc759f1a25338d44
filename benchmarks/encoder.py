"""The int8 encoder against float32 and against torch's `quantize_dynamic`, in one run: speed, sizes and drift.

    python benchmarks/encoder.py [--corpus corpus.jsonl] [--texts 200] [--rounds 3]

Without --corpus the texts are passages of docs/. Every round runs all competitors in turn, and the fastest round of
each counts, so that a busy moment of the machine hits all alike.
"""

from __future__ import annotations

import argparse
import io
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from rag.checkpoint import WEIGHTS_FILE
from rag.encoder import Encoder, checkpoint_folder, load_encoder, load_float_encoder
from sql.settings import DEFAULT_MODEL, read_settings


def main() -> None:
    """Prints a table: tokens a second, their ratio to float32, cosine to float32, bytes of the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    int8 = load_encoder(read_settings())
    texts = read_texts(options.corpus, int8)[: options.texts]
    tokens = sum(len(ids) for ids in int8.tokenizer.encode(texts))
    float32 = load_float_encoder(read_settings(), int8)
    print(f"int8 checkpoint: {int8_bytes() / 1e6:.1f} MB")
    competitors = {"float32 (transformers)": float32, "quantize_dynamic": dynamic(int8), "int8 (ours)": int8}
    vectors = {name: encoder.encode(texts) for name, encoder in competitors.items()}
    fastest = dict.fromkeys(competitors, float("inf"))
    query = dict.fromkeys(competitors, float("inf"))
    for _ in range(options.rounds):
        for name, encoder in competitors.items():
            fastest[name] = min(fastest[name], seconds(encoder, texts))
            query[name] = min(
                query[name], min(seconds(encoder, ["How many bytes does one vector take?"]) for _ in range(20))
            )
    print(f"{len(texts)} texts, {tokens} tokens, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':24}{'tokens/s':>10}{'times':>8}{'query ms':>10}{'cos mean':>10}{'cos min':>10}")
    reference = vectors["float32 (transformers)"]
    for name, best in fastest.items():
        cosine = (vectors[name] * reference).sum(axis=1)
        times = fastest["float32 (transformers)"] / best
        print(
            f"{name:24}{tokens / best:10.0f}{times:8.2f}{1000 * query[name]:10.1f}"
            f"{np.mean(cosine):10.5f}{np.min(cosine):10.5f}"
        )


def int8_bytes() -> int:
    """Bytes on disk of the default model's int8 weights."""
    return (checkpoint_folder(read_settings(), DEFAULT_MODEL) / WEIGHTS_FILE).stat().st_size


def read_texts(corpus: Path | None, encoder: Encoder) -> list[str]:
    """Passages that the encoder reads whole."""
    if corpus is not None:
        texts = [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()]
    else:
        pages = [path.read_text(encoding="utf-8") for path in sorted(Path("docs").glob("*.md"))]
        texts = [page[first : first + 700] for page in pages for first in range(0, len(page), 700)]
    return [
        text for text in texts if text.strip() and encoder.tokenizer.count(text) <= encoder.tokenizer.max_text_tokens
    ]


def dynamic(encoder: Encoder) -> Encoder:
    """The recipe of the literature: torch's dynamic quantization of the Linear layers of the float model."""
    float32 = load_float_encoder(read_settings(), encoder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the function deprecated; here it is the thing to beat
        module = torch.ao.quantization.quantize_dynamic(
            float32.kernel.module,
            {torch.nn.Linear},
            dtype=torch.qint8,  # type: ignore[attr-defined]
        )
    float32.kernel.module = module  # type: ignore[attr-defined]
    stream = io.BytesIO()
    torch.save(module.state_dict(), stream)
    print(f"quantize_dynamic state: {stream.tell() / 1e6:.1f} MB")
    return float32


def seconds(encoder: Encoder, texts: list[str]) -> float:
    """Wall time of encoding the texts once."""
    started = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
