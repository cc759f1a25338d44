"""What stands on top of an encoder: one number for a question and a passage, or where in the passage the answer is.

A cross-encoder reads question and passage as one text and gives the first token's vector to two small linears: how well do
they fit. A reader gives every token's vector to one linear: does an answer start here, does it end here. The encoder below
is computed by the same kernels as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.base.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RERANK, READ = "rerank", "read"
TASKS = {  # what a head does: its outputs, what it needs of the encoder, and what a model of the kind is
    RERANK: (1, "cls", "a cross-encoder, which scores a question and a passage"),
    READ: (2, "tokens", "a reader, which marks the answer to a question in a passage"),
}


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float32)


def relu(values: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(values, np.float32(0))


def identity(values: Floats) -> Floats:
    """x itself."""
    return values


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": identity,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": relu,
}


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """What a head does (`rerank` or `read`) and how.

    A cross-encoder has `activation` between its two linears, and `score` makes a score of its output; both are names in
    ACTIVATIONS. A reader has neither.
    """

    task: str
    activation: str = "identity"
    score: str = "identity"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("task", self.task, TASKS),
            ("activation", self.activation, ACTIVATIONS),
            ("score", self.score, ACTIVATIONS),
        ):
            if value not in known:
                raise ModelError(f"a head with the {name} {value!r:.40} cannot be used: only {', '.join(known)}")

    @property
    def outputs(self) -> int:
        """How many numbers it gives: one for a pair, or two for each token."""
        return TASKS[self.task][0]

    @property
    def pooling(self) -> str:
        """The vectors it reads: `cls`, that of the first token, or `tokens`, all of them."""
        return TASKS[self.task][1]

    @property
    def description(self) -> str:
        """What a model with such a head is."""
        return TASKS[self.task][2]


def head_shapes(head: HeadConfig, wide: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of a head on vectors of `wide` dimensions, as a checkpoint holds it, with its shape."""
    shapes: dict[str, tuple[int, ...]] = {
        "head.output.weight": (head.outputs, wide),
        "head.output.bias": (head.outputs,),
    }
    if head.task == RERANK:
        shapes |= {"head.dense.codes": (wide, wide), "head.dense.scale": (wide,), "head.dense.bias": (wide,)}
    return shapes


class Head:
    """A head ready to run, in float32: it is a thousandth of what the encoder computes."""

    def __init__(self, config: HeadConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """`tensors` are those of a checkpoint, or of a float model with `head.dense.weight` in place of its codes."""
        self.config = config
        self.output, self.output_bias = tensors["head.output.weight"], tensors["head.output.bias"]
        self.dense: Floats | None = None
        if config.task == RERANK:
            self.dense_bias = tensors["head.dense.bias"]
            if "head.dense.codes" in tensors:
                self.dense = tensors["head.dense.codes"] * tensors["head.dense.scale"][:, None]
            else:
                self.dense = tensors["head.dense.weight"]

    def __call__(self, vectors: Floats) -> Floats:
        """Vectors of texts or tokens (..., dimensions) in, raw outputs (..., outputs) out, float32."""
        if self.dense is not None:
            vectors = ACTIVATIONS[self.config.activation](vectors @ self.dense.T + self.dense_bias)
        return np.asarray(vectors @ self.output.T + self.output_bias, dtype=np.float32)

    def scores(self, outputs: Floats) -> Floats:
        """The scores that a cross-encoder's raw outputs stand for, as its own configuration says; float32."""
        return np.asarray(ACTIVATIONS[self.config.score](outputs), dtype=np.float32)
