"""Passages made by the program: a tokenizer in, texts of a wanted length out, for measuring where no corpus is at hand.

Sentences are put together from the words of manuals, drawn with a fixed seed: the same texts on every machine.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer

SUBJECTS = (
    "the server", "a backup", "the invoice", "every sensor", "the kiln", "the account", "a certificate", "the valve",
    "the committee", "this release", "the patient record", "a query", "the battery", "the archive", "each driver",
)  # fmt: skip
VERBS = (
    "stores", "replaces", "sends", "checks", "delays", "describes", "compares", "heats", "signs", "limits", "restores",
    "measures", "publishes", "rejects", "translates",
)  # fmt: skip
OBJECTS = (
    "the temperature of the glaze", "a list of names", "the monthly total", "two copies of the file",
    "the oldest version", "an encrypted message", "the pressure in bar", "all unpaid orders", "the signal of the antenna",
    "the address of the customer", "the number of rows", "a summary in plain words", "the result of the last test",
)  # fmt: skip
CONDITIONS = (
    "before midnight", "when the limit of {number} is reached", "unless the owner objects", "after {number} minutes",
    "in the northern region", "while the network is down", "as section {number} explains", "for at least {number} days",
    "if no other copy is left", "on the first Monday of the month", "although the manual says otherwise",
)  # fmt: skip
QUESTION = "How long does the server keep the oldest version of a file?"


def sample_passages(tokenizer: Tokenizer, count: int, tokens: int) -> list[str]:
    """`count` different texts, each of whole sentences and at most `tokens` tokens, the special ones not counted.

    Where not even one sentence fits, a text is as many words of one as fit.
    """
    draw = random.Random(0)  # noqa: S311 (not a secret)
    return [sample_passage(tokenizer, draw, tokens) for _ in range(count)]


def sample_passage(tokenizer: Tokenizer, draw: random.Random, tokens: int) -> str:
    """One text of as many sentences as fit."""
    text = sentence = sample_sentence(draw)
    while tokenizer.count(f"{text} {(sentence := sample_sentence(draw))}") <= tokens:
        text = f"{text} {sentence}"
    words = text.split()
    while tokenizer.count(" ".join(words)) > tokens and len(words) > 1:
        words.pop()
    return " ".join(words)


def sample_sentence(draw: random.Random) -> str:
    """A sentence of a subject, a verb, an object and a condition."""
    condition = draw.choice(CONDITIONS).format(number=draw.randrange(2, 400))
    sentence = f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(OBJECTS)} {condition}."
    return sentence[0].upper() + sentence[1:]
