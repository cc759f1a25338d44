"""Codes in; out comes what they alone tell of the rounding error of vectors whose floats nobody has any more.

A number lies within half a step of what its code stands for, unless it was cut because it lay outside the range. Within
the range of a vector's own least and greatest value none is cut; in any other range only a number can have been whose code
is the lowest or the highest. So the error is known to be at most half a step a number, or not at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sql.base.settings import RANGE_METHODS
from sql.records import rounded_up

if TYPE_CHECKING:
    from sql.records import QuantizedVectors
    from sql.records.calibration import Quantizer

# Of a step. The float32 scale can be less than the exact one by 2**-24 of itself, which the outermost of 255 steps shows
# 255 times: by so much more than half a step its number can lie beyond.
HALF_STEP = 0.5 + 2**-15


def has_own_ranges(quantizer: Quantizer) -> bool:
    """Whether the range of each vector is its own least and greatest value, outside of which nothing lies."""
    return not quantizer.calibrated and quantizer.ranges == RANGE_METHODS[0]


def with_known_errors(vectors: QuantizedVectors, quantizer: Quantizer) -> QuantizedVectors:
    """The vectors with the errors that they came with, or else with those that follow from their codes."""
    if vectors.error is not None:
        return vectors
    own = has_own_ranges(quantizer)
    widths = np.broadcast_to(vectors.step_widths(), vectors.codes.shape)
    bounds = rounded_up(HALF_STEP * np.sqrt(np.square(widths).sum(axis=1)))
    cut = np.isin(vectors.codes, (quantizer.lowest_code, quantizer.highest_code)).any(axis=1)
    zeros = (vectors.scale == 1) & (vectors.codes == vectors.zero_point[:, None]).all(axis=1)
    known = np.where(zeros, np.float32(0), bounds) if own else np.where(cut, np.float32(np.inf), bounds)
    return replace(vectors, error=known.astype(np.float32))
