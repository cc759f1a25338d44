"""The same int8 encoder in NumPy: the plain twin of the fast one, and the quicker one for a single short question.

Importing torch takes longer than encoding a question, so a command that answers one question does without it. Integer
products run as float32 matrix products over blocks short enough that every sum is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rag.compute.blas import one_blas_thread
from rag.encoder.families import distance_bias
from rag.encoder.kernel import GELU_MINIMUM, HALF_A_STEP, ZERO_POINT, OneBatchAtATime, fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.encoder.checkpoint import Checkpoint
    from rag.encoder.kernel import FoldedLinear, FoldedNorm

    Floats = NDArray[np.float32]

BLOCK = 512  # 512 * 255 * 127 < 2^24: sums of one block are exact integers in float32


class NumpyKernel(OneBatchAtATime):
    """Runs a checkpoint with int8 weights in memory; one layer at a time is widened while it is used."""

    name = "numpy int8"
    pads = True

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.config = checkpoint.config
        self.pooling = self.config.pooling
        self.tensors = checkpoint.tensors
        self.folded = fold(checkpoint)
        self.distance_bias = checkpoint.tensors.get("distance_bias")

    def forward(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], types: NDArray[np.int64] | None = None
    ) -> Floats:
        """Pooled vectors, float32 (texts, dimensions), or those of all tokens."""
        with one_blas_thread():
            return pool(*self._of_all_tokens(ids, lengths, types), self.pooling)

    def forward_both(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """The pooled vectors and those of all tokens."""
        with one_blas_thread():
            found = self._of_all_tokens(ids, lengths, None)
            return pool(*found, self.pooling), pool(*found, "tokens")

    def _of_all_tokens(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], types: NDArray[np.int64] | None
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """What the last layer makes of every token, (texts, tokens, dimensions), and which of them are there."""
        texts, tokens = ids.shape
        wide, heads, eps = self.config.dimensions, self.config.heads, self.config.layer_norm_eps
        embedded = self._rows("embeddings.word", ids.ravel()).reshape(texts, tokens, wide)
        embedded += self._rows("embeddings.position", np.arange(tokens))
        if types is not None and self.config.token_types > 1:
            embedded[types == 1] += self.tensors["embeddings.second_type"]
        norm = self.folded.embedding_norm
        hidden = normalize(embedded.reshape(-1, wide), norm, eps)
        present = np.arange(tokens) < lengths[:, None]
        bias = None if self.distance_bias is None else distance_bias(self.distance_bias, tokens)
        for layer in self.folded.layers:
            qkv = apply(layer.qkv, cut(hidden)).reshape(texts, tokens, 3, heads, wide // heads)
            query, key, value = qkv.transpose(2, 0, 3, 1, 4)
            rows = attend(query, key, value, present, bias).transpose(0, 2, 1, 3).reshape(-1, wide)
            hidden *= norm.residual
            hidden += apply(layer.attention, cut(rows))
            hidden = normalize(hidden, layer.attention_norm, eps)
            codes, scale = quantize_activated(gelu(apply(layer.up, cut(hidden))))
            hidden *= layer.attention_norm.residual
            hidden += integer_product(codes, layer.down.codes) * layer.down.scale * scale
            hidden += layer.down.bias
            norm = layer.output_norm
            hidden = normalize(hidden, norm, eps)
        return hidden.reshape(texts, tokens, wide), present

    def _rows(self, name: str, ids: NDArray[np.int64]) -> Floats:
        rows: Floats = self.tensors[f"{name}.codes"][ids].astype(np.float32)
        rows *= self.tensors[f"{name}.scale"][ids][:, None]
        return rows


def normalize(values: Floats, norm: FoldedNorm, eps: float) -> Floats:
    """A layer norm that gives codes before they are cut; float32 (rows, dimensions)."""
    centred = values - values.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    centred /= np.sqrt(variance + np.float32(eps))
    centred *= norm.weight
    centred += norm.bias
    return np.asarray(centred, dtype=np.float32)


def cut(values: Floats) -> Floats:
    """Codes of values that are in their units and centred at 128.5, less the zero-point: whole numbers -128..127."""
    codes = np.clip(values, 0, 255)
    np.floor(codes, out=codes)
    codes -= ZERO_POINT
    return codes


def apply(linear: FoldedLinear, codes: Floats) -> Floats:
    """A linear layer on codes without their zero-point."""
    total = integer_product(codes, linear.codes)
    total *= linear.scale * np.float32(linear.input_scale)
    total += linear.bias
    return total


def integer_product(activations: Floats, weights: NDArray[np.int8]) -> Floats:
    """Codes (rows, in) times int8 codes (out, in), summed exactly block by block; float32 (rows, out)."""
    total = np.zeros((len(activations), len(weights)), dtype=np.float32)
    for first in range(0, weights.shape[1], BLOCK):
        block = weights[:, first : first + BLOCK].astype(np.float32)
        total += activations[:, first : first + BLOCK] @ block.T
    return total


def quantize_activated(values: Floats) -> tuple[Floats, Floats]:
    """Codes 0..255 of GELU's results plus GELU_MINIMUM, and the scale of each row (rows, 1). Overwrites `values`."""
    largest = values.max(axis=1, keepdims=True) + np.float32(GELU_MINIMUM)
    values += np.float32(GELU_MINIMUM)
    values *= np.float32(255) / largest
    values += np.float32(HALF_A_STEP)
    return np.floor(values, out=values), largest / np.float32(255)


def attend(query: Floats, key: Floats, value: Floats, present: NDArray[np.bool_], bias: Floats | None = None) -> Floats:
    """Scaled dot-product attention over the tokens that are present; (texts, heads, tokens, head dimensions).

    `bias` (heads, tokens, tokens) is added to the scores.
    """
    weights = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(query.shape[-1]))
    if bias is not None:
        weights += bias
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
    """One vector a text: the mean over its tokens, or its first token; or those of all tokens."""
    if pooling == "tokens":
        return np.asarray(hidden * present[:, :, None], dtype=np.float32)
    if pooling == "cls":
        return hidden[:, 0].copy()
    weights = present[:, :, None].astype(np.float32)
    return np.asarray((hidden * weights).sum(axis=1) / weights.sum(axis=1), dtype=np.float32)
