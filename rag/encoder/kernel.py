"""What every int8 kernel computes, and what they share: token ids of equal padded length in, vectors out.

Activations are 8-bit codes 0..255 with zero-point 128 and a static scale, known since the model was quantized. Nothing is
spent on finding a range, and a text's vector does not depend on which texts share its batch. Most of the arithmetic of
quantizing is folded into numbers that are there anyway (`Folded`):

- a layer norm gives `x / scale + 128.5` instead of x, so that codes are its output cut to 0..255 without the fraction; or
  `x / scale`, where one pass rounds it and adds the zero-point (`ROUNDED`);
- attention weights sum to 1, so what is done to the values is done to their mean: their channels carry `1 / scale` in the
  scales of their weights and `128.5` in their bias;
- where such an output is added to what follows, it is multiplied back, and its constant is in the next bias.

Only after GELU does every token get a scale of its own. GELU is never below -0.17: shifted up by as much, its results use
all of 0..255 with zero-point 0, and the shift is in the bias of the layer that follows.
"""

from __future__ import annotations

from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from rag.encoder.checkpoint import Checkpoint

    Floats = NDArray[np.float32]

GELU_MINIMUM = 0.1699713  # GELU(-0.7517916) = -0.16997120, the least value of x * Phi(x); rounded up, so a true bound
HALF_A_STEP = 0.5  # codes are cut, not rounded: half a step more makes the same of it
SHRINK_STEPS = 16
ALL_CODES = np.arange(-128.0, 128.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """The codes that activations are laid over: 0..top with the zero-point in the middle.

    `rounds` where numbers in units of codes are rounded and the zero-point is added then; else they are centred before
    and cut.
    """

    top: int
    rounds: bool = False

    @property
    def zero_point(self) -> int:
        """The code of 0."""
        return (self.top + 1) // 2

    @property
    def centre(self) -> float:
        """What layer norms add, so that codes are their results without the fraction; nothing where codes are rounded."""
        return 0.0 if self.rounds else self.zero_point + HALF_A_STEP

    @property
    def pair_limit(self) -> int:
        """What two neighbouring weight codes may have between them where pairs of products are added in 16 bits."""
        return (2**15 - 1) // self.top

    @property
    def coarseness(self) -> float:
        """How much wider the steps are than those a checkpoint was calibrated for."""
        return (FULL.top - FULL.zero_point) / (self.top - self.zero_point)


FULL = Grid(255)
# For 16-bit sums. With 0..255 a pair of weights could have 128 between it, which one pair in thirty exceeds, and the
# weights would lose a bit; with 0..127 the activations lose one. In between, both lose little (docs/models.md).
NARROW = Grid(191)
ROUNDED = Grid(255, rounds=True)
ZERO_POINT, CENTRE = FULL.zero_point, FULL.centre


class Kernel(Protocol):
    """One way to run the encoder on one kind of hardware."""

    name: str
    pooling: str  # what becomes of the states of a text's tokens: mean, cls, or tokens where nothing does
    pads: bool  # computes padding like tokens, so that only texts of like length should share a batch

    @property
    def threads(self) -> int:
        """How many threads may run `forward` at once and gain by it, each within `limited`."""
        ...

    def limited(self, threads: int) -> AbstractContextManager[None]:
        """While it lasts, what the calling thread computes is spread over so many threads."""
        ...

    def forward(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], types: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions), of padded ids (texts, tokens) with their true lengths.

        `types` (texts, tokens) are 1 for the tokens of a second text, else 0. With the pooling `tokens` the vectors are
        those of all tokens, (texts, tokens, dimensions), and 0 behind the last of a text.
        """
        ...

    def forward_both(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """The pooled vectors and those of all tokens, of one computation where a kernel can do that."""
        ...


def of_tokens(kernel: Kernel) -> Kernel:
    """The same kernel, with the same weights in memory, that gives what the last layer made of every token."""
    every = copy(kernel)
    every.pooling = "tokens"
    return every


class OneBatchAtATime:
    """A kernel whose libraries decide themselves how they spread a batch."""

    threads = 1

    def limited(self, threads: int) -> AbstractContextManager[None]:  # noqa: ARG002
        """Changes nothing."""
        return nullcontext()

    def forward_both(self: Kernel, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Computes twice."""
        return self.forward(ids, lengths), of_tokens(self).forward(ids, lengths)


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


def fold(checkpoint: Checkpoint, grid: Grid = FULL, value_centre: float | None = None) -> Folded:
    """The checkpoint's numbers, arranged so that quantizing costs next to nothing while the encoder runs.

    `value_centre` is what the values carry through attention, the grid's centre unless given; 0 where the kernel adds
    that behind it.
    """
    count, centre = checkpoint.config.layers, grid.centre
    norms = [fold_norm(checkpoint, "embeddings.norm", "layer.0.qkv", grid)]
    layers = []
    for index in range(count):
        name = f"layer.{index}"
        inner = fold_norm(checkpoint, f"{name}.attention_norm", f"{name}.up", grid)
        following = f"layer.{index + 1}.qkv" if index + 1 < count else None
        outer = fold_norm(checkpoint, f"{name}.output_norm", following, grid)
        attention = fold_linear(checkpoint, f"{name}.attention", grid, without=centre * norms[-1].residual)
        shift = centre * inner.residual + gelu_shift(checkpoint, name)
        down = fold_linear(checkpoint, f"{name}.down", grid, without=shift)
        up, plain = (fold_linear(checkpoint, f"{name}.{part}", grid) for part in ("up", "qkv"))
        qkv = fold_values(plain, attention.input_scale, centre if value_centre is None else value_centre)
        layers.append(FoldedLayer(qkv, attention, inner, up, down, outer))
        norms.append(outer)
    return Folded(norms[0], tuple(layers))


def fold_norm(checkpoint: Checkpoint, name: str, user: str | None, grid: Grid) -> FoldedNorm:
    """A layer norm in the units of the linear that reads it; the last one, which none reads, stays as it is."""
    weight, bias, residual = (checkpoint.tensors[f"{name}.{part}"] for part in ("weight", "bias", "residual"))
    if user is None:
        return FoldedNorm(weight, bias, residual)
    scale = np.float32(input_scale(checkpoint, user, grid))
    return FoldedNorm(
        np.divide(weight, scale, dtype=np.float32),
        np.divide(bias, scale, dtype=np.float32) + np.float32(grid.centre),
        np.multiply(residual, scale, dtype=np.float32),
    )


def fold_linear(checkpoint: Checkpoint, name: str, grid: Grid, without: Floats | float = 0) -> FoldedLinear:
    """A linear layer whose bias makes up for constants that arrive with its input or with the residual."""
    codes, scale, bias = (checkpoint.tensors[f"{name}.{part}"] for part in ("codes", "scale", "bias"))
    return FoldedLinear(codes, scale, np.asarray(bias - without, dtype=np.float32), input_scale(checkpoint, name, grid))


def input_scale(checkpoint: Checkpoint, name: str, grid: Grid) -> float:
    """The static step of the codes that a linear reads on a grid; 1 for the one that reads codes of GELU's results."""
    found = checkpoint.tensors.get(f"{name}.input_scale")
    return 1.0 if found is None else float(found[0]) * grid.coarseness


def fold_values(plain: FoldedLinear, attention_scale: float, centre: float) -> FoldedLinear:
    """The linear of query, key and value, its values in the units of the linear that reads the attention."""
    wide = len(plain.scale) // 3
    scale, bias = plain.scale.copy(), plain.bias.copy()
    scale[2 * wide :] /= np.float32(attention_scale)
    bias[2 * wide :] = bias[2 * wide :] / np.float32(attention_scale) + np.float32(centre)
    return FoldedLinear(plain.codes, scale, bias, plain.input_scale)


def leave_unfolded(checkpoint: Checkpoint) -> Folded:
    """The checkpoint's numbers for float arithmetic, which has no codes of activations: nothing but the smoothing."""
    tensors = checkpoint.tensors

    def norm(name: str) -> FoldedNorm:
        return FoldedNorm(*(tensors[f"{name}.{part}"] for part in ("weight", "bias", "residual")))

    def linear(name: str) -> FoldedLinear:
        codes, scale, bias = (tensors[f"{name}.{part}"] for part in ("codes", "scale", "bias"))
        return FoldedLinear(codes, scale, bias, input_scale=1.0)

    layers = [
        FoldedLayer(
            linear(f"{name}.qkv"),
            linear(f"{name}.attention"),
            norm(f"{name}.attention_norm"),
            linear(f"{name}.up"),
            linear(f"{name}.down"),
            norm(f"{name}.output_norm"),
        )
        for name in (f"layer.{index}" for index in range(checkpoint.config.layers))
    ]
    return Folded(norm("embeddings.norm"), tuple(layers))


def scale_query(qkv: FoldedLinear, factor: float) -> FoldedLinear:
    """The same linear with its query, the first third of its outputs, multiplied by a factor, and keys without a bias.

    What a key's bias adds to a score is the same for all keys of a query and leaves with the sum of the weights.
    """
    wide = len(qkv.scale) // 3
    scale, bias = qkv.scale.copy(), qkv.bias.copy()
    scale[:wide] *= np.float32(factor)
    bias[:wide] *= np.float32(factor)
    bias[wide : 2 * wide] = 0
    return FoldedLinear(qkv.codes, scale, bias, qkv.input_scale)


class LargePairs(NamedTuple):
    """The pairs of weights that are too large: their channels and the first inputs of each, and the codes (pairs, 2).

    A last input without a neighbour has a code of 0 beside it.
    """

    channels: NDArray[np.intp]
    firsts: NDArray[np.intp]
    codes: NDArray[np.float64]


def bound_pairs(linear: FoldedLinear, limit: int) -> FoldedLinear:
    """The same linear with weights of which no two neighbours have codes of more than `limit` between them.

    For CPUs that add pairs of products in 16 bits (AVX2 without VNNI): u8 * s8 + u8 * s8 saturates at 32,767. A channel
    gets coarser steps or has its few largest pairs lowered, whichever of SHRINK_STEPS changes its weights least.
    """
    fitted, shrink = linear.codes.copy(), np.ones(len(linear.codes))
    largest = pair_sums(linear.codes).max(axis=1, initial=0)
    crowded = np.flatnonzero(largest >= limit)
    if len(crowded):
        fitted[crowded], shrink[crowded] = bound_channels(linear.codes[crowded], largest[crowded], limit)
    scale = (linear.scale / shrink).astype(np.float32)
    return FoldedLinear(fitted, scale, linear.bias, linear.input_scale)


def bound_channels(
    codes: NDArray[np.int8], largest: NDArray[np.int16], limit: int
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """The bounded codes of channels whose largest pairs are given, and the factor by which each one's weights shrank.

    There are few different largest pairs and SHRINK_STEPS factors for each, so what becomes of every code is a table, and
    how much that changes a channel follows from how often it has each code. Pairs that are too large are met one by one.
    """
    sizes, size = np.unique(largest, return_inverse=True)
    least = (limit - 1) / sizes  # rounding may add 1
    factors = least[:, None] + (1 - least[:, None]) * np.linspace(0, 1, SHRINK_STEPS)
    shrunk = np.rint(ALL_CODES * factors[:, :, None])  # (sizes, steps, codes)
    places = codes + np.intp(128) + len(ALL_CODES) * np.arange(len(codes))[:, None]  # in a table of a row a channel
    counts = np.bincount(places.ravel(), minlength=len(ALL_CODES) * len(codes)).reshape(len(codes), -1)
    errors = np.empty((len(codes), SHRINK_STEPS))
    for number in range(len(sizes)):
        changes = np.square(shrunk[number] / factors[number, :, None] - ALL_CODES)
        errors[size == number] = counts[size == number] @ changes.T
    pairs = large_pairs(codes, limit)
    for step in range(SHRINK_STEPS):
        more = added_error(pairs.codes, factors[size[pairs.channels], step], limit)
        errors[:, step] += np.bincount(pairs.channels, more, len(codes))
    best = errors.argmin(axis=1)
    factor = factors[size, best]
    fitted = shrunk[size, best].astype(np.int8).ravel()[places]
    put_pairs(fitted, pairs, lowered(np.rint(pairs.codes * factor[pairs.channels, None]), limit))
    return fitted, factor


def pair_sums(codes: NDArray[np.int8]) -> NDArray[np.int16]:
    """|code| + |code| of inputs 0 and 1, 2 and 3, ... of each channel; a last one without a neighbour stands alone."""
    magnitudes = np.abs(codes.astype(np.int16))
    sums = magnitudes[:, 0::2].copy()
    sums[:, : magnitudes.shape[1] // 2] += magnitudes[:, 1::2]
    return sums


def large_pairs(codes: NDArray[np.int8], limit: int) -> LargePairs:
    """The pairs of more than `limit`; no other one has more when its codes have shrunk and been rounded."""
    channels, numbers = np.nonzero(pair_sums(codes) > limit)
    found = np.zeros((len(channels), 2))
    for beside in (0, 1):
        there = 2 * numbers + beside < codes.shape[1]
        found[there, beside] = codes[channels[there], 2 * numbers[there] + beside]
    return LargePairs(channels, 2 * numbers, found)


def put_pairs(codes: NDArray[np.int8], pairs: LargePairs, values: NDArray[np.float64]) -> None:
    """Puts other codes (pairs, 2) in the place of pairs."""
    for beside in (0, 1):
        there = pairs.firsts + beside < codes.shape[1]
        codes[pairs.channels[there], pairs.firsts[there] + beside] = values[there, beside]


def added_error(codes: NDArray[np.float64], factors: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """By how much pairs of codes (pairs, 2) are farther off, squared, when they are lowered after they have shrunk."""
    rounded = np.rint(codes * factors[:, None])
    before, after = (np.square(one / factors[:, None] - codes) for one in (rounded, lowered(rounded, limit)))
    return np.asarray((after - before).sum(axis=1))


def lowered(codes: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Pairs of codes (pairs, 2) brought down to the limit where they have more, each of the two in proportion."""
    magnitudes = np.abs(codes)
    total = magnitudes.sum(axis=1)
    excess = np.maximum(total - limit, 0)
    share = np.minimum(np.ceil(excess * magnitudes[:, 0] / np.maximum(total, 1)), excess)
    return np.asarray(codes - np.sign(codes) * np.stack([share, excess - share], axis=1))


def gelu_shift(checkpoint: Checkpoint, name: str) -> Floats:
    """What the shift after GELU adds to the outputs of the next linear: W (g + c) = W g + c W 1."""
    codes, scale = (checkpoint.tensors[f"{name}.down.{part}"] for part in ("codes", "scale"))
    return np.asarray(GELU_MINIMUM * codes.sum(axis=1, dtype=np.int64) * scale, dtype=np.float32)
