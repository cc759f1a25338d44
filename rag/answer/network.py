"""What speaks for each sentence in, what a small network adds to its merit out.

A sum of weights cannot say that a date counts where the words are few, or that a sentence lies behind another in just the
word that matters. A layer of hidden units can: each is the part above 0 of a weighted sum of the inputs. Its weights lie beside
this file, as `python benchmarks/answers_fit.py ... --write` has written them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FILE = "network.json"
BEHIND = "behind: "  # before the name of a part: by how much a sentence has less of it than the best one


@dataclass(frozen=True, slots=True)
class Network:
    """`inputs` names the numbers that it takes of a sentence; `hidden` float64 (inputs, units), `at_zero` and `output` (units,).

    >>> one = Network(("words",), np.array([[2.0, -1.0]]), np.array([-1.0, 0.0]), np.array([3.0, 5.0]))
    >>> one.merits(np.array([[0.0], [1.0]])).tolist()
    [0.0, 3.0]
    """

    inputs: tuple[str, ...]
    hidden: Floats
    at_zero: Floats
    output: Floats

    def merits(self, rows: Floats) -> Floats:
        """What it adds for each sentence, float64 (sentences,); `rows` float64 (sentences, inputs)."""
        return np.asarray(np.maximum(rows @ self.hidden + self.at_zero, 0) @ self.output)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Network:
        """As `record` gave it."""
        hidden = record["hidden"]
        return cls(
            tuple(hidden), np.array(list(hidden.values())), *(np.array(record[n]) for n in ("at_zero", "output"))
        )

    def record(self, fitted: str) -> dict[str, Any]:
        """What is written to the file; `fitted` says how and when it was fitted."""
        weights = zip(self.inputs, self.hidden.round(4).tolist(), strict=True)
        numbers = {"at_zero": self.at_zero.round(4).tolist(), "output": self.output.round(4).tolist()}
        return {"fitted": fitted, **numbers, "hidden": dict(weights)}


@cache
def fitted_network() -> Network:
    """That of the file."""
    return Network.of_record(json.loads((files("rag.answer") / FILE).read_text(encoding="utf-8")))


def with_behind(parts: Floats) -> Floats:
    """The parts of each sentence, and by how much it is behind the one that has most of each; float64 (sentences, 2 parts)."""
    return np.hstack([parts, parts.max(axis=0) - parts])


def input_names(parts: Sequence[str], of_question: Sequence[str]) -> tuple[str, ...]:
    """The names of the inputs: parts, what a sentence is behind in them, and what is the same for all sentences."""
    return (*parts, *(f"{BEHIND}{name}" for name in parts), *of_question)
