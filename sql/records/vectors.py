"""Vectors as int8 codes that never travel without their scale and zero-point, and the queries they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sql.base.errors import InvalidVector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sql.records.calibration import Calibration

QUERY_LIMIT = 2047
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT32_TINY = np.finfo(np.float32).tiny  # the least normal one: less could be flushed to 0 by a CPU or a database
NUMBERS_AT_ONCE = 1 << 18  # of vectors that become float32 again
MAX_DIMENSIONS = 8192  # 8192 * 128 * 2047 < 2**31: beyond it the dot product of codes and query overflows Int32
# By how much a sum of MAX_DIMENSIONS squares, its root and a few more steps of float64 can fall short, and far more.
FLOAT64_SLACK = 2**-36


@dataclass(frozen=True, slots=True)
class QuantizedVectors:
    """`n` vectors as int8 codes: `x ~ scale * (code - zero_point)`, one scale and zero-point a vector.

    codes: int8, shape (n, dimensions); scale: float32, shape (n,), finite and positive; zero_point: int8, shape (n,).
    `calibration` holds the ranges that they share, if they do. Per dimension, its scales and zero-points apply and those
    of the vectors are 1 and 0; per collection, its one scale and zero-point are repeated for each vector.
    `error` is at least the length of what rounding has changed of each vector, float32, shape (n,), not negative:
    infinity where nobody knows, and None where nobody knows of any.
    Raises InvalidVector where a dtype, a shape or a scale is anything else: the database would wrap or store it.
    """

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int8]
    calibration: Calibration | None = None
    error: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.int8:
            raise InvalidVector(f"codes must be int8 with two axes, not {self.codes.dtype} of shape {self.codes.shape}")
        rows, dimensions = self.codes.shape
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise InvalidVector(
                f"vectors of {dimensions} dimensions: only 1 to {MAX_DIMENSIONS} can be searched exactly"
            )
        if self.scale.shape != (rows,) or self.scale.dtype != np.float32:
            raise InvalidVector(f"scale must be float32 of shape ({rows},), not {self.scale.dtype} {self.scale.shape}")
        if self.zero_point.shape != (rows,) or self.zero_point.dtype != np.int8:
            raise InvalidVector(
                f"zero_point must be int8 of shape ({rows},), not {self.zero_point.dtype} {self.zero_point.shape}"
            )
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InvalidVector("every scale must be finite and greater than 0")
        shared = self.dimension_ranges
        if shared is not None and (
            shared.scale.shape != (dimensions,) or (self.scale != 1).any() or self.zero_point.any()
        ):
            raise InvalidVector(f"ranges of {len(shared.scale)} dimensions cannot be those of {dimensions} dimensions")
        error = self.error
        if error is not None and (error.shape != (rows,) or error.dtype != np.float32 or not (error >= 0).all()):
            raise InvalidVector(f"error must be float32 of shape ({rows},) and at least 0, not {error.dtype} {error}")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def dimensions(self) -> int:
        """Numbers in one vector."""
        return int(self.codes.shape[1])

    @property
    def dimension_ranges(self) -> Calibration | None:
        """The calibration, if it has a range for each dimension."""
        return self.calibration if self.calibration is not None and self.calibration.per_dimension else None

    def rows(self, rows: range) -> QuantizedVectors:
        """Some of the vectors, one behind the other, without a copy."""
        part = slice(rows.start, rows.stop)
        error = None if self.error is None else self.error[part]
        return replace(
            self, codes=self.codes[part], scale=self.scale[part], zero_point=self.zero_point[part], error=error
        )

    def errors(self) -> NDArray[np.float32]:
        """At least the length of each vector's rounding error, float32 (n,); infinity where nobody knows."""
        return np.full(len(self), np.inf, dtype=np.float32) if self.error is None else self.error

    def steps(self) -> NDArray[np.int32]:
        """Codes without their zero-point, int32 (n, dimensions), within -255..255: int8 could not hold them."""
        shared = self.dimension_ranges
        zero_points = self.zero_point[:, None] if shared is None else shared.zero_point
        return np.asarray(self.codes.astype(np.int32) - zero_points.astype(np.int32))

    def step_widths(self) -> NDArray[np.float64]:
        """What one step is worth, float64, (n, 1) or, with a range for each dimension, (1, dimensions)."""
        shared = self.dimension_ranges
        return np.asarray((self.scale[:, None] if shared is None else shared.scale[None]).astype(np.float64))

    def dequantize(self) -> NDArray[np.float32]:
        """The vectors as float32, shape (n, dimensions)."""
        vectors = np.empty(self.codes.shape, np.float32)
        rows_at_once = max(1, NUMBERS_AT_ONCE // self.dimensions)  # as int32 and float64 they take six times the memory
        for first in range(0, len(self), rows_at_once):
            some = range(first, min(first + rows_at_once, len(self)))
            part = self.rows(some)
            # The outermost code may lie half a step beyond the range, which next to the largest float32 would be infinity.
            vectors[some.start : some.stop] = np.clip(part.steps() * part.step_widths(), -FLOAT32_MAX, FLOAT32_MAX)
        return vectors

    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of each vector, float32, shape (n,); InvalidVector where float32 cannot hold it."""
        steps = self.steps()
        if self.dimension_ranges is None:
            squares = np.einsum("ij,ij->i", steps, steps)  # exact: 8,192 * 255 * 255 < 2**31
            norms = np.sqrt(squares) * self.scale.astype(np.float64)
        else:
            norms = np.sqrt(np.square(steps * self.step_widths()).sum(axis=1))
        if len(norms) and norms.max() > FLOAT32_MAX:
            row = int(norms.argmax())
            raise InvalidVector(
                f"vector {row} has the length {norms[row]:.3g}, which float32 cannot hold: scale it down"
            )
        return np.asarray(norms, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class QuantizedQuery:
    """A query vector for the exact integer search: `q ~ scale * codes`, codes int16 within -2047..2047.

    Eleven bits and a sign are the most that keep `dotProduct(Array(Int16), Array(Int8))`, whose accumulator is Int32,
    exact up to 8,192 dimensions.
    """

    codes: NDArray[np.int16]
    scale: float

    def __post_init__(self) -> None:
        if self.codes.ndim != 1 or self.codes.dtype != np.int16:
            raise InvalidVector(f"query codes must be int16 with one axis, not {self.codes.dtype} {self.codes.shape}")
        if not 1 <= len(self.codes) <= MAX_DIMENSIONS or not (
            # not np.abs: the magnitude of -32768 does not fit int16 and would pass as negative
            -QUERY_LIMIT <= int(self.codes.min()) <= int(self.codes.max()) <= QUERY_LIMIT
        ):
            raise InvalidVector(f"a query holds 1 to {MAX_DIMENSIONS} codes within -{QUERY_LIMIT}..{QUERY_LIMIT}")
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise InvalidVector(f"a query's scale must be finite and greater than 0, not {self.scale}")


def code_pairs(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """4-bit codes (n, dimensions) as they are stored, two a number: int8, (n, dimensions / 2), rounded up.

    The upper four bits of a number are a code of the first half, the lower four that at the same place of the second; both
    in two's complement. Raises InvalidVector for a code that has no place in four bits.

    >>> code_pairs(np.array([[-8, 7, 1, -1]], dtype=np.int8)).tolist()
    [[-127, 127]]
    """
    if codes.size and not (-8 <= int(codes.min()) <= int(codes.max()) <= 7):
        raise InvalidVector(f"codes {codes.min()}..{codes.max()} cannot be stored in four bits: they hold -8..7")
    half = -(-codes.shape[1] // 2)
    pairs = np.left_shift(codes[:, :half], 4)
    pairs[:, : codes.shape[1] - half] |= codes[:, half:] & 15
    return pairs


def rounded_up(lengths: NDArray[np.float64]) -> NDArray[np.float32]:
    """Lengths that were computed in float64, as float32 numbers that are surely not less; 0 stays 0.

    >>> float(rounded_up(np.array([0.1]))[0]) > 0.1
    True
    """
    least = lengths * (1 + FLOAT64_SLACK)
    with np.errstate(over="ignore"):  # beyond float32 nothing but infinity is not less
        narrow = least.astype(np.float32)
        raised = np.where(narrow < least, np.nextafter(narrow, np.float32(np.inf)), narrow)
    return np.asarray(np.where(lengths > 0, np.maximum(raised, FLOAT32_TINY), raised), dtype=np.float32)


def fold_query(query: QuantizedQuery, calibration: Calibration | None) -> tuple[QuantizedQuery, int]:
    """The query to compare codes with, and the integer to add to its dot product with each of them.

    Per dimension d, sum(q * s * (c - z)) = sum((q * s) * c) - sum((q * s) * z): the products q * s become the codes of
    the query, and the last sum is the same for every vector. Otherwise the query stays as it is, and 0 is added.
    """
    if calibration is None or not calibration.per_dimension:
        return query, 0
    values = query.codes.astype(np.float64) * calibration.scale.astype(np.float64)
    step = float(np.abs(values).max()) / QUERY_LIMIT or 1.0
    codes = np.rint(values / step).astype(np.int16)
    offset = -int(codes.astype(np.int64) @ calibration.zero_point.astype(np.int64))
    return QuantizedQuery(codes, query.scale * step), offset
