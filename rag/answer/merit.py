"""What speaks for each sentence in, its merit and the probability that the best one answers out: two logistic models.

The merit is a sum of weights, and what a small network adds to it (rag/answer/network.py). All weights were fitted by
`python benchmarks/answers_fit.py` on 2026-12-01, with the default encoder, on the questions of SQuAD 2 (half of its
development set, CC BY-SA 4.0) and XQuAD English and German (CC BY-SA 4.0), and on those of benchmarks/documentation and
benchmarks/encyclopedia.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.forms import ASKED, FORMS
from rag.answer.network import fitted_network, input_names, with_behind
from rag.text.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# What speaks for a sentence, each 0 to 1 or thereabouts but for `length`, in the order of the columns. The first ones are
# known where its chunk has been read with the question.
READ_FEATURES = (
    "meaning",  # cosine of the question's vector and the mean of the sentence's tokens
    "tokens",  # mean over the question's tokens of the nearest one in the sentence
    "weakest",  # that of the token of a content word which is met worst
    "asking",  # that of `who`, `when`, `wie viele`
    "passage",  # mean over the tokens of content words, by their rarity, of the nearest one in the whole chunk
    "length",  # logarithm of 1 and the number of its tokens: the more there are, the nearer one comes by chance
)
FEATURES = (
    *READ_FEATURES,
    "chunk",  # cosine of the question and the chunk, which counts for the confidence alone
    "words",  # share of the question's words
    "before",  # share that only the sentence before it adds
    "leaning",  # the same as `before` where it begins with a pronoun for something that stands there, else 0
    "after",  # share that only the sentence after it adds
    "names",  # share of the question's exact names
    *KINDS,  # whether it holds what is asked for, one column a kind
)
# What the network sees beside them, in the order of its columns: of the tokens of the question and the sentence,
FINER_OF_TOKENS = (
    "content",  # mean over the tokens of content words of the nearest one in the sentence
    "rare",  # the same, by their rarity
    "second",  # that of the token of a content word which is met second worst
    "rarest",  # that of the rarest one
    "short",  # mean by rarity of how much less near it comes than the nearest sentence
    "top",  # share by rarity of the tokens to which no other sentence comes nearer
    "share",  # share of the attention of content words: of a softmax over all tokens of all passages
    "rare_share",  # the same, by their rarity
    "relevance",  # mean over the sentence's tokens of the nearest content word
    "irrelevance",  # share of them that are near none
    "token_before",  # how much nearer the sentence before it comes, by rarity
    "token_after",  # and the one after it, beyond both
    "three",  # mean of `tokens` of the three
    "lead",  # how much nearer its chunk comes than any other, by rarity
)
# and of their words.
FINER_OF_WORDS = (
    "own",  # as `words`, without those of its heading and context
    "rare_words",  # share by rarity in the store
    "name_words",  # share of capitalized words and those with digits, by rarity
    "count",  # share of the words, whatever their rarity
    "rarest_word",  # whether it holds the rarest one
)
FINER = (*FINER_OF_TOKENS, *FINER_OF_WORDS, *FORMS)
# The network takes no names and versions, which it could learn nothing of, and no cosine of the chunk.
NETWORK_FEATURES = tuple(name for name in FEATURES if name not in {"names", "version", "chunk"})
NETWORK_KINDS = tuple(kind for kind in KINDS if kind != "version")
NETWORK_INPUTS = input_names(
    (*NETWORK_FEATURES, *FINER), ("strange", *(f"asked: {kind}" for kind in (*NETWORK_KINDS, *ASKED)))
)
# Of a listwise logistic regression: the softmax of the merits of all sentences is the probability of each to be the one.
# The first weight is that where the encoder knows every word of the question, the second where it cuts each in two, as an
# English one does with most words of other languages: what its vectors say is worth less then. Those of names and
# versions are not fitted, for those questions have hardly any.
WEIGHTS = {
    "meaning": (5.921, 0.0),
    "tokens": (11.527, 5.657),
    "weakest": (5.27, 1.352),
    "asking": (7.134, 0.373),
    "passage": (9.864, 9.986),
    "length": (-0.551, -0.514),
    "chunk": (0.0, 0.0),
    "words": (5.537, 10.605),
    "before": (4.183, 6.483),
    "leaning": (3.244, 2.002),
    "after": (1.067, 3.527),
    "names": (4.0, 4.0),
    "number": (2.506, 2.579),
    "time": (0.835, 2.443),
    "person": (0.433, 0.921),
    "place": (0.674, 0.461),
    "version": (1.0, 1.0),
}
# How much speaks against a best sentence without the kind of thing that was asked for. No version is told without a digit.
# Of the questions of SQuAD 2 and XQuAD that ask for a person, 64 % are answered right by a sentence that seems to name nobody
# ("students", "the dukes") and 82 % by one that does; without a number, a time or a place as many are as with one.
LACKING = {"version": 1.0, "person": 0.4}
# And how much where it is asked what a thing of one or two words is, and the best sentence says no such thing: of one word,
# the sentences of documentation say it in 15 % of such cases, and without this the confidence is 0.58 on average.
LACKING_DEFINITION = {1: 0.5, 2: 0.25}
DEFINES = 0.45  # how much a sentence has to look like a definition, to count as one
# Of a logistic regression over questions whose best sentence answers or does not; that of `lacking` is not fitted.
CONFIDENCE_AT_ZERO = -4.402
CONFIDENCE_WEIGHTS = {
    "lead": 0.314,
    "passage": 4.48,
    "words": 2.14,
    "chunk": 1.066,
    "missing_names": -0.895,
    "read": -1.211,
    "pieces": 0.379,
    "lacking": -2.5,
}

# What a sentence that is not read can make up for by being read, and what a cosine of its chunk counts for until then.
READING_ADDS = 2.5
CLOSE_CHUNK = 8.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the candidates that are worth reading, of which there is at least one.

    `rows` float64 (read, FEATURES), `finer` float64 (read, FINER), `read` bool (candidates,); `missing_names` is the share of
    the question's capitalized words and numbers, by rarity, that no chunk holds; `pieces` are the tokens that a word of the
    question is cut into, at most MOST_PIECES: the more, the less the encoder knows its language; `expected` is the one of
    KINDS that is asked for, "" for none; `asked` are the numbers of ASKED; `term_words` are those of the term whose meaning is
    asked for, 0 for none."""

    rows: Floats
    read: NDArray[np.bool_]
    missing_names: float
    pieces: float
    expected: str
    finer: Floats
    asked: tuple[float, ...]
    term_words: int = 0


def strangeness(pieces: float) -> float:
    """How little an encoder knows the words of a question that it cuts into so many pieces each: 0 for one, 1 for two or
    more."""
    return min(max(pieces - 1, 0.0), 1.0)


def can_win(unread: Floats, chunks: NDArray[np.intp], pieces: float) -> NDArray[np.bool_]:
    """Which sentences are worth reading, by what is known without: those of every chunk of which one comes near the best.

    `unread` float64 (sentences, the FEATURES after the READ_FEATURES), `chunks` the number of each one's chunk, `pieces`
    those that a word of the question is cut into. On the
    questions that the weights are fitted on, half of the chunks are read, and the sentences chosen are the same.
    """
    names = FEATURES[len(READ_FEATURES) :]
    promise = twofold(unread, pieces) @ weights_of(names) + CLOSE_CHUNK * unread[:, names.index("chunk")]
    best = np.full(int(chunks.max()) + 1, -np.inf)
    np.maximum.at(best, chunks, promise)
    return np.asarray(best[chunks] >= promise.max() - READING_ADDS)


def twofold(rows: Floats, pieces: float) -> Floats:
    """Rows with every column twice, for its two weights: as far as the encoder knows the question's words, and as far as it
    does not; float64 (sentences, 2 columns) of (sentences, columns)."""
    strange = strangeness(pieces)
    return np.hstack([(1 - strange) * rows, strange * rows])


def weights_of(names: Sequence[str]) -> Floats:
    """The weights of some features in the order of `twofold`, float64 (2 names,)."""
    return np.array([WEIGHTS[name][side] for side in (0, 1) for name in names])


def merits(evidence: Evidence) -> Floats:
    """The merit of each sentence: a sum of what speaks for it, and what the network adds; float64 (sentences,)."""
    return sums(evidence) + fitted_network().merits(network_rows(evidence))


def sums(evidence: Evidence) -> Floats:
    """The weighted sum of what speaks for each sentence; float64 (sentences,)."""
    return np.asarray(twofold(evidence.rows, evidence.pieces) @ weights_of(FEATURES))


def network_rows(evidence: Evidence) -> Floats:
    """What the network sees of each sentence; float64 (sentences, NETWORK_INPUTS)."""
    own = evidence.rows[:, [FEATURES.index(name) for name in NETWORK_FEATURES]]
    kinds = [float(evidence.expected == kind) for kind in NETWORK_KINDS]
    of_question = [strangeness(evidence.pieces), *kinds, *evidence.asked]
    return np.hstack([with_behind(np.hstack([own, evidence.finer])), np.tile(of_question, (len(own), 1))])


def shares(of_merits: Floats) -> Floats:
    """The probability of each sentence to be the one that answers, if one of them does: they add up to 1."""
    raised = np.exp(of_merits - of_merits.max())
    return np.asarray(raised / raised.sum())


def signs(evidence: Evidence, of_merits: Floats) -> dict[str, float]:
    """What tells whether the best sentence answers: by how much it leads (the log-odds of its share), what it and its chunk
    hold of the question, what of the question no chunk holds, what part of the sentences could have won before they were
    read, how well the encoder knows the question's words, and whether it lacks the kind of thing that was asked for."""
    best = int(np.argmax(of_merits))
    row = dict(zip(FEATURES, evidence.rows[best].tolist(), strict=True))
    share = min(max(float(shares(of_merits)[best]), 1e-6), 1 - 1e-6)
    return {
        "lead": math.log(share / (1 - share)) if len(of_merits) > 1 else 0.0,
        "passage": row["passage"],
        "words": row["words"],
        "chunk": row["chunk"],
        "missing_names": evidence.missing_names,
        "read": float(evidence.read.mean()),
        "pieces": evidence.pieces,
        "lacking": lacking(evidence, best, row),
    }


def lacking(evidence: Evidence, best: int, row: dict[str, float]) -> float:
    """How much speaks against the best sentence because it lacks the kind of thing that was asked for, or a definition."""
    of_kind = LACKING.get(evidence.expected, 0.0) if row.get(evidence.expected) == 0 else 0.0
    defines, named = (float(evidence.finer[best, FINER.index(name)]) for name in ("defines", "named"))
    is_definition = named > 0 or defines >= DEFINES
    return of_kind + (0.0 if is_definition else LACKING_DEFINITION.get(evidence.term_words, 0.0))


def confidence(evidence: Evidence, of_merits: Floats) -> float:
    """The probability, 0 to 1, that the best sentence answers the question."""
    found = signs(evidence, of_merits)
    total = CONFIDENCE_AT_ZERO + sum(weight * found[name] for name, weight in CONFIDENCE_WEIGHTS.items())
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))
