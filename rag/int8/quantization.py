"""The maths of int8: floats in; codes, a scale and a zero-point out, and back again. NumPy only.

One definition holds everywhere, in Python as in SQL:

    x ~ scale * (code - zero_point)         code = clip(round(x / scale) + zero_point, lo, hi)

`round` goes half to even. Codes outside lo..hi saturate, they never wrap. The range always includes 0, so that 0 is
stored as the zero-point and comes back as exactly 0.

Sources: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018, arXiv:1712.05877 (the definition, equation 1; the zero-point as a code, section 2.1);
R. Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference: A whitepaper", 2018,
arXiv:1806.08342 (affine and symmetric quantizers; weights per channel).

`rag.int8.quantization_torch` is the same maths on torch tensors, with a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sql.base.errors import InvalidVector
from sql.records import FLOAT32_MAX, QUERY_LIMIT, QuantizedQuery, QuantizedVectors, fold_query, rounded_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from sql.records.calibration import Quantizer

    Range = tuple[NDArray[np.float32], NDArray[np.float32]]

Choice = TypeVar("Choice")
LEAST_SCALE = float(np.finfo(np.float32).tiny)
CODE_TYPES = (np.int8, np.uint8, np.int16)
ROWS_AT_ONCE = 256  # the float64 working copies of so many rows stay in a CPU's cache
WIDTHS = range(2, 9)  # bits in a code: one bit has no room for both signs, and more than 8 do not fit a byte
# Which axis of a matrix is ranged over, so that one scale and zero-point is left for each ...; None: for all of it.
AXES = {"tensor": None, "collection": None, "channel": 1, "vector": 1, "dimension": 0}
CLIPPED_SHARE = 0.001  # of the values, that the percentile range leaves outside unless told otherwise
# How much of the min-max range the search for the least squared error tries: all of it, then ever less, down to 1/20.
RATIOS = [1 - step / 40 for step in range(39)]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a range of floats is laid over the codes lo..hi.

    Symmetric: zero_point = 0 and scale = max|x| / max(-lo, hi). With lo = -hi (the restricted range) every number of
    the range has a code; with lo = -hi - 1 (the full range) the steps are finer and the upper end saturates.
    Asymmetric, or affine: scale = (max - min) / (hi - lo) and zero_point = lo - round(min / scale), within lo..hi.

    >>> Scheme(symmetric=False, lo=0, hi=255).dtype
    dtype('uint8')
    """

    symmetric: bool
    lo: int = -128
    hi: int = 127

    def __post_init__(self) -> None:
        if not self.lo <= 0 < self.hi:
            raise ValueError(f"codes {self.lo}..{self.hi} cannot hold a zero-point: lo must be at most 0, hi above it")
        if self.symmetric and -self.lo not in {self.hi, self.hi + 1}:
            raise ValueError(
                f"codes {self.lo}..{self.hi} are not symmetric: lo must be {-self.hi} (restricted range) or "
                f"{-self.hi - 1} (full range)"
            )
        if not np.iinfo(np.int16).min <= self.lo < self.hi <= np.iinfo(np.int16).max:
            raise ValueError(f"codes {self.lo}..{self.hi} do not fit int16, the widest type of codes")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest integer type that holds the codes: int8, uint8 or int16."""
        return next(
            np.dtype(kind) for kind in CODE_TYPES if np.iinfo(kind).min <= self.lo and self.hi <= np.iinfo(kind).max
        )


ASYMMETRIC = Scheme(symmetric=False)
SYMMETRIC = Scheme(symmetric=True, lo=-127)  # restricted: +x and -x have codes of equal size, nothing saturates
SYMMETRIC_FULL_RANGE = Scheme(symmetric=True)
ASYMMETRIC_UNSIGNED = Scheme(symmetric=False, lo=0, hi=255)
QUERY = Scheme(symmetric=True, lo=-QUERY_LIMIT, hi=QUERY_LIMIT)


def scheme_of_bits(bits: int, *, symmetric: bool) -> Scheme:
    """The scheme of codes 2 to 8 bits wide; a symmetric one leaves the lowest code unused.

    >>> scheme_of_bits(4, symmetric=True)
    Scheme(symmetric=True, lo=-7, hi=7)
    """
    if bits not in WIDTHS:
        raise ValueError(f"codes of {bits} bits: only {WIDTHS.start} to {WIDTHS.stop - 1} bits are supported")
    half = 2 ** (bits - 1)
    return Scheme(symmetric=symmetric, lo=1 - half if symmetric else -half, hi=half - 1)


def vector_scheme(quantizer: Quantizer) -> Scheme:
    """The scheme of the vectors of a store."""
    return Scheme(quantizer.kind == "symmetric", quantizer.lowest_code, quantizer.highest_code)


def choose_parameters(
    minimum: ArrayLike, maximum: ArrayLike, scheme: Scheme
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scale and zero-point for ranges of numbers, both of the shape of `minimum`.

    A range is widened to include 0; the range of nothing but 0 has scale 1 and zero-point 0. Raises InvalidVector for
    a range that is upside down or beyond float32.

    >>> scale, zero_point = choose_parameters(-1.0, 4.1, ASYMMETRIC)
    >>> print(scale, zero_point)
    0.02 -78
    """
    # float64: the width of -3e38..3e38 overflows float32
    low, high = (np.asarray(end, dtype=np.float64) for end in (minimum, maximum))
    if not ((low >= -FLOAT32_MAX) & (low <= high) & (high <= FLOAT32_MAX)).all():  # NaN compares as False: refused too
        raise InvalidVector("a range to quantize must be finite, its maximum not below its minimum, and within float32")
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    step = (
        np.maximum(-low, high) / max(-scheme.lo, scheme.hi)
        if scheme.symmetric
        else (high - low) / (scheme.hi - scheme.lo)
    )
    # A smaller step than the least normal float32 could round to 0, or be flushed to 0 by a CPU or a database.
    scale = np.where(step == 0, 1.0, np.maximum(step, LEAST_SCALE)).astype(np.float32)
    if scheme.symmetric:
        return scale, np.zeros(scale.shape, dtype=np.int64)
    # Divided by the float32 scale and not by the exact step: it is the one that codes are made and read with.
    zero_point = np.clip(scheme.lo - np.rint(low / scale.astype(np.float64)), scheme.lo, scheme.hi)
    return scale, np.where(step == 0, 0, zero_point).astype(np.int64)


def quantize(values: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, scheme: Scheme) -> NDArray[np.integer[Any]]:
    """Codes of numbers, in `scheme.dtype`: clip(round(x / scale) + zero_point, lo, hi), shapes broadcast.

    Numbers beyond the range saturate, infinities included; NaN has no code and raises InvalidVector.

    >>> quantize([-6, 0, 5], 6 / 128, 0, SYMMETRIC_FULL_RANGE).tolist()
    [-128, 0, 107]
    """
    if not ((np.asarray(scale) > 0) & np.isfinite(scale)).all():
        raise InvalidVector(f"a scale must be finite and greater than 0, unlike one of {np.asarray(scale)}")
    with np.errstate(over="ignore"):  # an infinite number of steps saturates like any other too large one
        # float64: a float32 quotient could fall on the other side of a half
        codes = np.rint(np.divide(values, scale, dtype=np.float64)) + zero_point
    if np.isnan(codes).any():
        raise InvalidVector("nan cannot be quantized: it has no place in any range")
    return np.clip(codes, scheme.lo, scheme.hi).astype(scheme.dtype)


def dequantize(codes: ArrayLike, scale: ArrayLike, zero_point: ArrayLike) -> NDArray[np.float32]:
    """The float32 numbers that codes stand for: scale * (code - zero_point), shapes broadcast."""
    steps = np.asarray(codes, dtype=np.int64) - np.asarray(zero_point, dtype=np.int64)
    # The outermost code may lie half a step beyond the range, which next to the largest float32 would be infinity.
    return np.clip(steps * np.asarray(scale, dtype=np.float64), -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)


def minmax_range(values: NDArray[np.float32], axis: int | None, scheme: Scheme) -> Range:  # noqa: ARG001
    """The least and the greatest value along an axis, which is kept with length 1; nothing saturates."""
    return values.min(axis=axis, keepdims=True), values.max(axis=axis, keepdims=True)


def percentile_range(
    values: NDArray[np.float32], axis: int | None, scheme: Scheme, clipped: float = CLIPPED_SHARE
) -> Range:
    """The range that leaves a share of the values along an axis (kept with length 1) outside, an outlier's cure.

    Of n values, floor(n * clipped / 2) lie below it and as many above (fewer where values are equal); a symmetric
    range leaves out the floor(n * clipped) of the largest magnitude.

    >>> low, high = percentile_range(np.arange(-100, 100, dtype=np.float32), None, ASYMMETRIC, clipped=0.1)
    >>> print(low[0], high[0])
    -90.0 89.0
    """
    if not 0 <= clipped < 1:
        raise ValueError(f"a share of {clipped} cannot be clipped: it must be at least 0 and below 1")
    if axis is None:
        low, high = percentile_range(values.reshape(-1, 1), 0, scheme, clipped)
        return low.reshape((1,) * values.ndim), high.reshape((1,) * values.ndim)
    ordered = np.sort(np.abs(values) if scheme.symmetric else values, axis=axis)
    count = values.shape[axis]
    if scheme.symmetric:
        high = np.take(ordered, [count - 1 - int(count * clipped)], axis=axis)
        return -high, high
    outside = int(count * clipped / 2)
    return np.take(ordered, [outside], axis=axis), np.take(ordered, [count - 1 - outside], axis=axis)


def mse_range(values: NDArray[np.float32], axis: int | None, scheme: Scheme) -> Range:
    """The range along an axis (kept with length 1) whose codes have the least squared error, of those that are tried.

    Both ends of the min-max range are drawn in together, then, where the scheme is asymmetric, each alone. Min-max
    itself is among what is tried, so the result is never worse. With few bits much is gained, with 8 little.
    """
    least_value, greatest = minmax_range(values, axis, scheme)
    # as the range will be widened anyway
    low, high = (np.asarray(end, dtype=np.float32) for end in (np.minimum(least_value, 0), np.maximum(greatest, 0)))
    least = squared_error(values, low, high, axis, scheme)
    for moves_low, moves_high in ((True, True),) if scheme.symmetric else ((True, True), (True, False), (False, True)):
        widest_low, widest_high = low, high
        for ratio in RATIOS[1:]:
            tried_low = widest_low * ratio if moves_low else widest_low
            tried_high = widest_high * ratio if moves_high else widest_high
            error = squared_error(values, tried_low, tried_high, axis, scheme)
            better = error < least
            low, high = np.where(better, tried_low, low), np.where(better, tried_high, high)
            least = np.where(better, error, least)
    return low, high


def squared_error(
    values: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32], axis: int | None, scheme: Scheme
) -> NDArray[np.float64]:
    """What quantizing with a range loses: the sum of squared differences along an axis, which is kept, in float64."""
    scale, zero_point = choose_parameters(low, high, scheme)
    lost = dequantize(quantize(values, scale, zero_point, scheme), scale, zero_point).astype(np.float64) - values
    return np.asarray(np.square(lost).sum(axis=axis, keepdims=True))


RANGES: dict[str, Callable[[NDArray[np.float32], int | None, Scheme], Range]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "mse": mse_range,
}


def fit_parameters(
    values: NDArray[np.float32], scheme: Scheme, granularity: str = "tensor", ranges: str = "minmax"
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scale and zero-point of a matrix, shapes that broadcast with it: one for each channel, vector, dimension, or one.

    >>> scale, zero_point = fit_parameters(np.array([[1.27, 0], [0, 254]], np.float32), SYMMETRIC, "channel")
    >>> print(scale.tolist(), zero_point.tolist())
    [[0.009999999776482582], [2.0]] [[0], [0]]
    """
    low, high = look_up(RANGES, ranges, "range")(values, look_up(AXES, granularity, "granularity"), scheme)
    return choose_parameters(low, high, scheme)


def look_up(table: Mapping[str, Choice], name: str, what: str) -> Choice:
    """An entry of a table; ValueError, with the names there are, for another name."""
    if name not in table:
        raise ValueError(f"the {what} {name!r} is not known: choose one of {', '.join(table)}")
    return table[name]


def quantize_vectors(
    vectors: NDArray[np.float32], scheme: Scheme = ASYMMETRIC, ranges: str = "minmax"
) -> QuantizedVectors:
    """Vectors (n, dimensions) as int8 codes, each vector with a scale and zero-point of its own.

    Nothing is calibrated, so nothing drifts: a vector's codes depend on that vector alone. Raises InvalidVector for
    another shape, and for a number that is not finite.
    """
    if scheme.dtype != np.int8:
        raise ValueError(f"codes {scheme.lo}..{scheme.hi} do not fit int8: vectors are stored as Array(Int8)")
    vectors = finite_floats(vectors, "vectors", ("row", "dimension"))
    scale, zero_point = fit_parameters(vectors, scheme, "vector", ranges)
    scale, zero_point = scale[:, 0], zero_point[:, 0]
    codes = quantize_rows(vectors, scale, zero_point, scheme)
    return with_errors(QuantizedVectors(codes, scale, zero_point.astype(np.int8)), vectors)


def with_errors(codes: QuantizedVectors, vectors: NDArray[np.float32]) -> QuantizedVectors:
    """Codes that know how far they are from the vectors (n, dimensions) they were made of, cut numbers included.

    The error of a vector is the Euclidean length of x - scale * (code - zero_point), rounded up to float32: no vector is
    further from its codes than that. It bounds what rounding does to an inner product (sql/search/certificate.py).
    """
    lengths = np.empty(len(vectors), dtype=np.float64)
    for first in range(0, len(vectors), ROWS_AT_ONCE):
        rows = range(first, len(vectors))[:ROWS_AT_ONCE]
        some = codes.rows(rows)
        lost = vectors[rows.start : rows.stop] - some.steps() * some.step_widths()
        lengths[rows.start : rows.stop] = np.sqrt(np.einsum("ij,ij->i", lost, lost))
    return replace(codes, error=rounded_up(lengths))


def quantize_rows(
    values: NDArray[np.float32], scale: NDArray[np.float32], zero_point: NDArray[np.int64], scheme: Scheme
) -> NDArray[np.int8]:
    """int8 codes of rows (n, m) with one scale and zero-point a row, each (n,); a few rows at a time."""
    codes = np.empty(values.shape, dtype=np.int8)
    for first in range(0, len(values), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        codes[rows] = quantize(values[rows], scale[rows, None], zero_point[rows, None], scheme)
    return codes


def quantize_query(vector: NDArray[np.float32]) -> QuantizedQuery:
    """A query vector (dimensions,) as symmetric codes within -2047..2047; a vector of zeros has scale 1.

    The scale is float64, the same number that `rag_query_scale` computes in SQL.

    >>> quantize_query(np.array([0.5, -0.25], dtype=np.float32)).codes.tolist()
    [2047, -1024]
    """
    vector = finite_floats(vector, "query", ("dimension",))
    scale = float(np.abs(vector).max()) / QUERY.hi or 1.0
    return QuantizedQuery(quantize(vector, scale, 0, QUERY).astype(np.int16), scale)


def quantize_channels(
    weight: NDArray[np.float32], scheme: Scheme = SYMMETRIC, ranges: str = "minmax"
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A weight (out, in) as symmetric int8 codes of its shape, with one scale an output channel, float32 (out,).

    Krishnamoorthi 2018: one scale a channel keeps a channel of small weights from being rounded away
    beside one of large weights, and leaves the integer matrix product as it is, since a channel is one of its results.
    """
    weight = finite_floats(weight, "weights", ("channel", "input"))
    scale, zero_point = fit_parameters(weight, symmetric(scheme), "channel", ranges)
    return quantize_rows(weight, scale[:, 0], zero_point[:, 0], scheme), scale[:, 0]


def quantize_tensor(
    weight: NDArray[np.float32], scheme: Scheme = SYMMETRIC, ranges: str = "minmax"
) -> tuple[NDArray[np.int8], np.float32]:
    """A weight (out, in) as symmetric int8 codes of its shape, with one scale for all of it."""
    weight = finite_floats(weight, "weights", ("channel", "input"))
    if not len(weight):
        return weight.astype(np.int8), np.float32(1)
    scale, zero_point = fit_parameters(weight, symmetric(scheme), "tensor", ranges)
    return quantize(weight, scale, zero_point, scheme).astype(np.int8), np.float32(scale[0, 0])


def symmetric(scheme: Scheme) -> Scheme:
    """`scheme`, if it is one for weights: symmetric, with codes that fit int8; ValueError otherwise."""
    if not scheme.symmetric or scheme.dtype != np.int8:
        raise ValueError(f"{scheme} is not for weights: they are stored as int8 codes without a zero-point")
    return scheme


def scores(query: QuantizedQuery, vectors: QuantizedVectors) -> NDArray[np.float64]:
    """Inner products of a query with vectors, float64 (n,): what the SQL of the search computes, slow and obvious.

    scale * (dot(query, codes) - zero_point * sum(query) + offset) * query_scale, in that order: exact integers first,
    then two float64 products. With a range for each dimension the query is folded with their scales first.
    """
    if vectors.dimensions != len(query.codes):
        raise InvalidVector(f"a query of {len(query.codes)} dimensions cannot be compared with {vectors.dimensions}")
    folded, offset = fold_query(query, vectors.calibration)
    query_codes = folded.codes.astype(np.int64)
    dot = vectors.codes.astype(np.int64) @ query_codes
    corrected = dot - vectors.zero_point.astype(np.int64) * query_codes.sum() + offset
    return np.asarray(vectors.scale.astype(np.float64) * corrected * folded.scale)


def finite_floats(values: ArrayLike, name: str, axes: tuple[str, ...]) -> NDArray[np.float32]:
    """`values` as float32 with the named axes; raises InvalidVector for other shapes and for what is not finite."""
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinity, and is refused as such
        floats = np.asarray(values, dtype=np.float32)
    if floats.ndim != len(axes) or floats.shape[-1] == 0:
        raise InvalidVector(
            f"{name} of shape {floats.shape} cannot be quantized: expected {' by '.join(axes)}, not empty"
        )
    finite = np.isfinite(floats)
    if not finite.all():
        index = tuple(int(place) for place in np.argwhere(~finite)[0])
        place = ", ".join(f"{axis} {number}" for axis, number in zip(axes, index, strict=True))
        raise InvalidVector(f"{name} cannot be quantized: {place} is {floats[index]}, only finite numbers can be")
    return floats
