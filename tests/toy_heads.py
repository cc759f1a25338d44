"""A cross-encoder and a reader that tests train for seconds on a task that they must then solve.

Both know a passage by the words of the small tokenizer. The cross-encoder learns which passages hold the animal or number
that a question asks for; the reader to mark the number in a passage, and nothing where there is none.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import torch
from models import HEADED

from rag.compute.torch_door import limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer, TokenPair

KEYS = ("cat", "dog", "mat")
NUMBERS = ("one", "two", "three")
OTHERS = ("the", "a", "of", "and", "to", "sat", "runs", "here")
# Drawn large, so that the models tell words apart from the first step: it spares nine steps of ten.
SPREAD = 0.2
MOST_TOKENS = 32  # that they read: few enough for all positions to be trained
SIZES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96},
    "distilbert": {"dim": 48, "n_layers": 2, "n_heads": 4, "hidden_dim": 96},
}
RATE = 3e-3
NO_DROPOUT: dict[str, dict[str, Any]] = {
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "distilbert": {"dropout": 0.0, "attention_dropout": 0.0, "qa_dropout": 0.0, "seq_classif_dropout": 0.0},
}


def question_of(key: str) -> str:
    """What is asked: `where cat`."""
    return f"where {key}"


def passages(draw: random.Random, words: Sequence[str], share: float) -> Iterator[str]:
    """Passages without end: a few words, among them one of `words` in that share of them."""
    while True:
        others = [*OTHERS, *(word for word in (*KEYS, *NUMBERS) if word not in words)]
        drawn = draw.choices(others, k=draw.randint(3, 14))
        if draw.random() < share:
            drawn.insert(draw.randrange(len(drawn) + 1), draw.choice(words))
        yield " ".join(drawn) + " ."


def train_reranker(kind: str, folder: Path, tokenizer: Tokenizer, steps: int) -> float:
    """A cross-encoder in a folder, as transformers saves it; returns the loss of the last steps."""
    draw = random.Random(0)
    drawn = passages(draw, KEYS, 0.9)

    def batch() -> tuple[list[TokenPair], torch.Tensor]:
        pairs, labels = [], []
        for _ in range(32):
            passage, key = next(drawn), draw.choice(KEYS)
            held = [word for word in passage.split() if word in KEYS]
            if held and draw.random() < 0.5:
                key = held[0]
            pairs.append(tokenizer.pairs(question_of(key), [passage])[0][0])
            labels.append(float(key in held))
        return pairs, torch.tensor(labels)

    def loss(model: Any, given: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(model(**given).logits[:, 0], labels)

    return train(kind, "rerank", folder, tokenizer, steps, batch, loss)


def train_reader(kind: str, folder: Path, tokenizer: Tokenizer, steps: int) -> float:
    """A reader in a folder, as transformers saves it; returns the loss of the last steps."""
    draw = random.Random(0)
    drawn = passages(draw, NUMBERS, 0.6)

    def batch() -> tuple[list[TokenPair], torch.Tensor]:
        pairs, places = [], []
        for _ in range(32):
            passage = next(drawn)
            words = passage.split()
            place = next((number for number, word in enumerate(words) if word in NUMBERS), None)
            pair = tokenizer.pairs("how many", [passage])[0][0]
            pairs.append(pair)
            places.append(0 if place is None else pair.first + place)
        return pairs, torch.tensor(places)

    def loss(model: Any, given: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        return model(**given, start_positions=places, end_positions=places).loss

    return train(kind, "read", folder, tokenizer, steps, batch, loss)


def train(kind: str, task: str, folder: Path, tokenizer: Tokenizer, steps: int, batch: Any, loss: Any) -> float:
    """Trains a small model and saves it."""
    torch.manual_seed(0)
    model_class, config, sizes = HEADED[kind, task]
    model = model_class(config(**(sizes | SIZES[kind] | NO_DROPOUT[kind] | {"initializer_range": SPREAD})))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    losses = []
    with limited(1):  # beside busy processes, threads that wait for each other take longer than one
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / 20) * (1 - step / steps)
            pairs, targets = batch()
            found = loss(model, padded_pairs(pairs, typed=kind == "bert"), targets)
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
            losses.append(float(found.detach()))
    model.eval().save_pretrained(folder)
    tokenizer.library.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": MOST_TOKENS}))
    return sum(losses[-10:]) / len(losses[-10:])


def padded_pairs(pairs: Sequence[TokenPair], *, typed: bool) -> dict[str, torch.Tensor]:
    """Pairs as a model of transformers takes them."""
    wide = max(len(pair.ids) for pair in pairs)

    def padded(rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor([row + [0] * (wide - len(row)) for row in rows])

    given = {
        "input_ids": padded([pair.ids for pair in pairs]),
        "attention_mask": padded([[1] * len(pair.ids) for pair in pairs]),
    }
    return given | ({"token_type_ids": padded([pair.types for pair in pairs])} if typed else {})
