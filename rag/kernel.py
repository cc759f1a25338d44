"""What every int8 kernel computes, and what they share: token ids of equal padded length in, one vector a text out.

Activations are 8-bit codes 0..255 with zero-point 128 and a static scale, known since the model was quantized. Nothing is
spent on finding a range, and a text's vector does not depend on which texts share its batch. Most of the arithmetic of
quantizing is folded into numbers that are there anyway (`Folded`):

- a layer norm gives `x / scale + 128.5` instead of x, so that codes are its output cut to 0..255 without the fraction;
- attention weights sum to 1, so what is done to the values is done to their mean: their channels carry `1 / scale` in the
  scales of their weights and `128.5` in their bias;
- where such an output is added to what follows, it is multiplied back, and its constant is in the next bias.

Only after GELU does every token get a scale of its own. GELU is never below -0.17: shifted up by as much, its results use
all of 0..255 with zero-point 0, and the shift is in the bias of the layer that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.checkpoint import Checkpoint

    Floats = NDArray[np.float32]

GELU_MINIMUM = 0.1699713  # GELU(-0.7517916) = -0.16997120, the least value of x * Phi(x); rounded up, so a true bound
ZERO_POINT = 128
ROUNDING = 0.5  # codes are cut, not rounded: half a step more makes the same of it
CENTRE = ZERO_POINT + ROUNDING


class Kernel(Protocol):
    """One way to run the encoder on one kind of hardware."""

    name: str

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions), of padded ids (texts, tokens) with their true lengths."""
        ...


@dataclass(frozen=True, slots=True)
class FoldedLinear:
    """A linear layer on codes: `input_scale * scale * (codes @ weight - zero_point * row sums) + bias`."""

    codes: NDArray[np.int8]
    scale: Floats
    bias: Floats
    input_scale: float


@dataclass(frozen=True, slots=True)
class FoldedNorm:
    """A layer norm whose output is `x / scale + 128.5`, and the factor that makes x - m of `output - 128.5` again."""

    weight: Floats
    bias: Floats
    residual: Floats


@dataclass(frozen=True, slots=True)
class FoldedLayer:
    """One layer of the encoder, ready to run."""

    qkv: FoldedLinear
    attention: FoldedLinear
    attention_norm: FoldedNorm
    up: FoldedLinear
    down: FoldedLinear
    output_norm: FoldedNorm


@dataclass(frozen=True, slots=True)
class Folded:
    """A whole encoder with everything folded that can be: what kernels are made of."""

    embedding_norm: FoldedNorm
    layers: tuple[FoldedLayer, ...]


def fold(checkpoint: Checkpoint) -> Folded:
    """The checkpoint's numbers, arranged so that quantizing costs next to nothing while the encoder runs."""
    count = checkpoint.config.layers
    norms = [fold_norm(checkpoint, "embeddings.norm", "layer.0.qkv")]
    layers = []
    for index in range(count):
        name = f"layer.{index}"
        inner = fold_norm(checkpoint, f"{name}.attention_norm", f"{name}.up")
        following = f"layer.{index + 1}.qkv" if index + 1 < count else None
        outer = fold_norm(checkpoint, f"{name}.output_norm", following)
        attention = fold_linear(checkpoint, f"{name}.attention", without=CENTRE * norms[-1].residual)
        down = fold_linear(checkpoint, f"{name}.down", without=CENTRE * inner.residual + gelu_shift(checkpoint, name))
        qkv, up = fold_values(checkpoint, name, attention.input_scale), fold_linear(checkpoint, f"{name}.up")
        layers.append(FoldedLayer(qkv, attention, inner, up, down, outer))
        norms.append(outer)
    return Folded(norms[0], tuple(layers))


def fold_norm(checkpoint: Checkpoint, name: str, user: str | None) -> FoldedNorm:
    """A layer norm in the units of the linear that reads it; the last one, which none reads, stays as it is."""
    weight, bias, residual = (checkpoint.tensors[f"{name}.{part}"] for part in ("weight", "bias", "residual"))
    if user is None:
        return FoldedNorm(weight, bias, residual)
    scale = checkpoint.tensors[f"{user}.input_scale"]
    return FoldedNorm(weight / scale, bias / scale + np.float32(CENTRE), residual * scale)


def fold_linear(checkpoint: Checkpoint, name: str, without: Floats | float = 0) -> FoldedLinear:
    """A linear layer whose bias makes up for constants that arrive with its input or with the residual."""
    codes, scale, bias = (checkpoint.tensors[f"{name}.{part}"] for part in ("codes", "scale", "bias"))
    input_scale = checkpoint.tensors.get(f"{name}.input_scale")
    return FoldedLinear(
        codes,
        scale,
        np.asarray(bias - without, dtype=np.float32),
        1.0 if input_scale is None else float(input_scale[0]),
    )


def fold_values(checkpoint: Checkpoint, name: str, attention_scale: float) -> FoldedLinear:
    """The linear of query, key and value, its values in the units of the linear that reads the attention."""
    plain = fold_linear(checkpoint, f"{name}.qkv")
    wide = checkpoint.config.dimensions
    scale, bias = plain.scale.copy(), plain.bias.copy()
    scale[2 * wide :] /= np.float32(attention_scale)
    bias[2 * wide :] = bias[2 * wide :] / np.float32(attention_scale) + np.float32(CENTRE)
    return FoldedLinear(plain.codes, scale, bias, plain.input_scale)


def gelu_shift(checkpoint: Checkpoint, name: str) -> Floats:
    """What the shift after GELU adds to the outputs of the next linear: W (g + c) = W g + c W 1."""
    codes, scale = (checkpoint.tensors[f"{name}.down.{part}"] for part in ("codes", "scale"))
    return np.asarray(GELU_MINIMUM * codes.sum(axis=1, dtype=np.int64) * scale, dtype=np.float32)
