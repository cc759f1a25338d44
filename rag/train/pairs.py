"""Passages of the user's documents in, what an encoder learns from out: texts to imitate, or pairs to tell apart.

No labels are needed. Passages are what a search finds; headings and single sentences are as short as the questions that
will be asked, and so stand in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from rag.text.sentences import split_sentences
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MIN_TEXTS = 2  # a batch of one has no negatives, and a corpus of one passage no rest to learn from
MIN_LETTERS = 12  # of a sentence: shorter ones are numbers of lists and rests of tables
BATCHES_PER_POOL = 8  # texts of like length share a batch: sorted within pools, so that batches still differ each epoch


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document: `text` as it is embedded, `body` without headings, `heading` the words above it or ""."""

    text: str
    heading: str
    body: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A short text, and the passage that it should find."""

    short: str
    passage: str


def short_texts(passages: Sequence[Passage]) -> list[str]:
    """The headings and the sentences of passages, each once, in their order."""
    found: dict[str, None] = {}
    for passage in passages:
        sentences = (passage.body[start:end] for start, end in split_sentences(passage.body))
        for text in (passage.heading, *sentences):
            if sum(character.isalpha() for character in text) >= MIN_LETTERS:
                found.setdefault(text)
    return list(found)


def heading_pairs(passages: Sequence[Passage]) -> list[Pair]:
    """A pair for each passage that has a heading and a body; raises RagError where there are too few to learn from."""
    pairs = list(dict.fromkeys(Pair(p.heading, p.body) for p in passages if p.heading.strip() and p.body.strip()))
    if len({pair.short for pair in pairs}) < MIN_TEXTS:
        raise RagError(
            f"{len(pairs)} of {len(passages)} passages have a heading, and {MIN_TEXTS} different ones are needed: "
            "use the objective distill, which needs none"
        )
    return pairs


def unique_passages(passages: Sequence[Passage]) -> list[Passage]:
    """The passages without repeated texts; raises RagError where too few are left to learn from."""
    unique = list({passage.text: passage for passage in passages if passage.text.strip()}.values())
    if len(unique) < MIN_TEXTS:
        raise RagError(
            f"{len(unique)} different passages were found, {MIN_TEXTS} are needed to learn from: give more documents"
        )
    return unique


def held_out(count: int) -> NDArray[np.bool_]:
    """Which of `count` items are kept back for measuring: every tenth, none of fewer than ten; bool (count,)."""
    return np.asarray(np.arange(1, count + 1) % 10 == 0)


def schedule(
    lengths: NDArray[np.int64], groups: Sequence[NDArray[np.int64]], batch_size: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Batches of indices without end. An epoch holds every item of the first group once, and as many drawn from each
    other group.

    Everything follows from `seed` and the number of the epoch: a run that goes on after an interruption needs no state
    of a random generator. `lengths` (items,) only decides which items share a batch.
    """
    epoch = 0
    while True:
        random = np.random.default_rng([seed, epoch])
        yield from epoch_batches(lengths, drawn(groups, random), batch_size, random)
        epoch += 1


def drawn(groups: Sequence[NDArray[np.int64]], random: np.random.Generator) -> NDArray[np.int64]:
    """The items of one epoch in random order."""
    size = len(groups[0])
    parts = [random.permutation(group)[:size] for group in groups]
    return random.permutation(np.concatenate(parts))


def epoch_batches(
    lengths: NDArray[np.int64], items: NDArray[np.int64], batch_size: int, random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The items as batches of like length, in random order; the last one of a pool may be smaller."""
    batches = []
    for first in range(0, len(items), batch_size * BATCHES_PER_POOL):
        pool = items[first : first + batch_size * BATCHES_PER_POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[start : start + batch_size] for start in range(0, len(pool), batch_size)]
    return [batches[number] for number in random.permutation(len(batches))]


def batches_an_epoch(groups: Sequence[NDArray[np.int64]], batch_size: int) -> int:
    """How many batches `schedule` gives in one epoch."""
    size = sum(min(len(groups[0]), len(group)) for group in groups)
    return -(-size // batch_size)


def texts_sha256(texts: Sequence[str]) -> str:
    """SHA-256 over texts in order, in hexadecimal: a run goes on only with the texts that it began with."""
    total = sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()
