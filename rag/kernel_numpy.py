"""The same int8 encoder in NumPy: the plain twin of the fast one, and the quicker one for a single short question.

Importing torch takes longer than encoding a question, so a command that answers one question does without it. Integer
products run as float32 matrix products over blocks short enough that every sum is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rag.kernel import CODE_OFFSET, GELU_MINIMUM, SMALLEST_RANGE, shifted_bias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.checkpoint import Checkpoint

    Floats = NDArray[np.float32]

BLOCK = 512  # 512 * 255 * 127 < 2^24: sums of one block are exact integers in float32


class NumpyKernel:
    """Runs a checkpoint with int8 weights in memory; one layer at a time is widened while it is used."""

    name = "numpy int8"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.config = checkpoint.config
        self.tensors = checkpoint.tensors
        self.down_bias = [shifted_bias(checkpoint, f"layer.{layer}.down") for layer in range(self.config.layers)]

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        """Pooled vectors, float32 (texts, dimensions)."""
        texts, tokens = ids.shape
        wide, heads = self.config.dimensions, self.config.heads
        embedded = self._rows("embeddings.word", ids.ravel()).reshape(texts, tokens, wide)
        embedded += self._rows("embeddings.position", np.arange(tokens))
        hidden = self._norm("embeddings.norm", embedded.reshape(-1, wide))
        present = np.arange(tokens) < lengths[:, None]
        before = "embeddings.norm"
        for layer in range(self.config.layers):
            name = f"layer.{layer}"
            qkv = self._linear(f"{name}.qkv", *quantize_rows(hidden))
            query, key, value = qkv.reshape(texts, tokens, 3, heads, wide // heads).transpose(2, 0, 3, 1, 4)
            rows = attend(query, key, value, present).transpose(0, 2, 1, 3).reshape(-1, wide)
            hidden *= self.tensors[f"{before}.residual"]
            hidden += self._linear(f"{name}.attention", *quantize_rows(rows))
            hidden = self._norm(f"{name}.attention_norm", hidden)
            raised = gelu(self._linear(f"{name}.up", *quantize_rows(hidden)))
            lowered = self._linear(f"{name}.down", *quantize_shifted_rows(raised), bias=self.down_bias[layer])
            hidden *= self.tensors[f"{name}.attention_norm.residual"]
            hidden += lowered
            hidden = self._norm(f"{name}.output_norm", hidden)
            before = f"{name}.output_norm"
        return pool(hidden.reshape(texts, tokens, wide), present, self.config.pooling)

    def _rows(self, name: str, ids: NDArray[np.int64]) -> Floats:
        rows: Floats = self.tensors[f"{name}.codes"][ids].astype(np.float32)
        rows *= self.tensors[f"{name}.scale"][ids][:, None]
        return rows

    def _norm(self, name: str, values: Floats) -> Floats:
        centred = values - values.mean(axis=1, keepdims=True)
        variance = np.square(centred).mean(axis=1, keepdims=True)
        centred /= np.sqrt(variance + np.float32(self.config.layer_norm_eps))
        return np.asarray(centred * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"], dtype=np.float32)

    def _linear(self, name: str, codes: Floats, scale: Floats, bias: Floats | None = None) -> Floats:
        total = integer_product(codes, self.tensors[f"{name}.codes"])
        total *= self.tensors[f"{name}.scale"]
        total *= scale
        total += self.tensors[f"{name}.bias"] if bias is None else bias
        return total


def integer_product(activations: Floats, weights: NDArray[np.int8]) -> Floats:
    """Codes (rows, in) times int8 codes (out, in), summed exactly block by block; float32 (rows, out)."""
    total = np.zeros((len(activations), len(weights)), dtype=np.float32)
    for first in range(0, weights.shape[1], BLOCK):
        block = weights[:, first : first + BLOCK].astype(np.float32)
        total += activations[:, first : first + BLOCK] @ block.T
    return total


def quantize_rows(values: Floats) -> tuple[Floats, Floats]:
    """Symmetric codes -127..127 of each row, as whole float32 numbers, and the rows' scales (rows, 1)."""
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), np.float32(SMALLEST_RANGE)) / np.float32(127)
    return np.clip(np.rint(values / scale), -CODE_OFFSET, CODE_OFFSET - 1), scale


def quantize_shifted_rows(values: Floats) -> tuple[Floats, Floats]:
    """Codes 0..255 of each row of GELU's results plus GELU_MINIMUM, and the rows' scales."""
    shifted = np.maximum(values + np.float32(GELU_MINIMUM), 0)
    scale = np.maximum(shifted.max(axis=1, keepdims=True), np.float32(SMALLEST_RANGE)) / np.float32(255)
    return np.clip(np.rint(shifted / scale), 0, 255), scale


def attend(query: Floats, key: Floats, value: Floats, present: NDArray[np.bool_]) -> Floats:
    """Scaled dot-product attention over the tokens that are present; (texts, heads, tokens, head dimensions)."""
    weights = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(query.shape[-1]))
    weights = np.where(present[:, None, None], weights, -np.inf)
    weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True) @ value, dtype=np.float32)


def gelu(values: Floats) -> Floats:
    """x * Phi(x), with erf by Abramowitz and Stegun 7.1.26 (largest error 1.5e-7), for NumPy has none."""
    scaled = np.abs(values)
    scaled *= np.float32(np.sqrt(0.5))
    t = scaled * np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    polynomial = t * np.float32(1.061405429)  # in place from here on: fresh memory costs more than arithmetic
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial += np.float32(coefficient)
        polynomial *= t
    np.square(scaled, out=scaled)
    np.negative(scaled, out=scaled)
    polynomial *= np.exp(scaled, out=scaled)
    np.subtract(1, polynomial, out=polynomial)  # erf of the magnitude
    np.copysign(polynomial, values, out=polynomial)
    polynomial += 1
    polynomial *= values
    polynomial *= np.float32(0.5)
    return polynomial


def pool(hidden: Floats, present: NDArray[np.bool_], pooling: str) -> Floats:
    """One vector a text: the mean over its tokens, or its first token."""
    if pooling == "cls":
        return hidden[:, 0].copy()
    weights = present[:, :, None].astype(np.float32)
    return np.asarray((hidden * weights).sum(axis=1) / weights.sum(axis=1), dtype=np.float32)
