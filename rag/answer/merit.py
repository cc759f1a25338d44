"""What speaks for each sentence in, its merit and the probability that the best one answers out: two logistic models.

Their weights were fitted by `python benchmarks/answers_fit.py` on 2026-11-29, with the default encoder, on the questions of
SQuAD 2 (half of its development set, CC BY-SA 4.0) and XQuAD English and German (CC BY-SA 4.0).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.evidence import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.answer.evidence import Evidence

    Floats = NDArray[np.float64]

# Of a listwise logistic regression: the softmax of the merits of all sentences is the probability of each to be the one.
# That of names is not fitted, for those questions have hardly any.
WEIGHTS = {
    "meaning": 2.09,
    "tokens": 6.276,
    "weakest": 2.446,
    "asking": 2.777,
    "passage": 9.781,
    "chunk": 0.0,
    "words": 7.913,
    "before": 4.382,
    "after": 2.875,
    "names": 4.0,
    "number": 2.17,
    "time": 2.163,
    "person": 1.788,
    "place": 0.669,
}
# Of a logistic regression over questions whose best sentence answers or does not.
CONFIDENCE_AT_ZERO = -3.251
CONFIDENCE_WEIGHTS = {
    "lead": 0.747,
    "passage": 1.497,
    "words": 1.4,
    "chunk": 2.277,
    "missing_names": -0.819,
    "pieces": 0.124,
}


def merits(rows: Floats) -> Floats:
    """The merit of each sentence, a sum of what speaks for it; float64 (sentences,) of (sentences, FEATURES)."""
    return np.asarray(rows @ np.array([WEIGHTS[name] for name in FEATURES]))


def shares(of_merits: Floats) -> Floats:
    """The probability of each sentence to be the one that answers, if one of them does: they add up to 1."""
    raised = np.exp(of_merits - of_merits.max())
    return np.asarray(raised / raised.sum())


def signs(evidence: Evidence, of_merits: Floats) -> dict[str, float]:
    """What tells whether the best sentence answers: by how much it leads (the log-odds of its share), what it and its chunk
    hold of the question, what of the question no chunk holds, and how well the encoder knows its words."""
    best = int(np.argmax(of_merits))
    row = dict(zip(FEATURES, evidence.rows[best].tolist(), strict=True))
    share = min(max(float(shares(of_merits)[best]), 1e-6), 1 - 1e-6)
    return {
        "lead": math.log(share / (1 - share)) if len(of_merits) > 1 else 0.0,
        "passage": row["passage"],
        "words": row["words"],
        "chunk": row["chunk"],
        "missing_names": evidence.missing_names,
        "pieces": evidence.pieces,
    }


def confidence(evidence: Evidence, of_merits: Floats) -> float:
    """The probability, 0 to 1, that the best sentence answers the question."""
    found = signs(evidence, of_merits)
    total = CONFIDENCE_AT_ZERO + sum(weight * found[name] for name, weight in CONFIDENCE_WEIGHTS.items())
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))
