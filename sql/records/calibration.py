"""Ranges that vectors share: how a store's vectors become codes, and the versioned rows that say with which ranges.

Per vector, each vector brings its own scale and zero-point. Per collection, all have the same. Per dimension, each
dimension has its own: its scale is folded into the query, and its zero-point becomes a constant of the query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sql.base.errors import StoreMismatch
from sql.base.settings import CODE_BITS, GRANULARITIES, QUANTIZERS, RANGE_METHODS, USUAL_RANGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NAME = re.compile(r"(?P<kind>\w+) int(?P<bits>\d) per (?P<granularity>\w+)(?:, (?P<ranges>\w+) ranges)?")
PER_DIMENSION = "dimension"


@dataclass(frozen=True, slots=True)
class Quantizer:
    """How vectors become codes: the kind of scheme, what shares a range, how the range is chosen, and bits of a code.

    >>> Quantizer("symmetric", "dimension", "mse", bits=4).name
    'symmetric int4 per dimension, mse ranges'
    """

    kind: str
    granularity: str = GRANULARITIES[0]
    ranges: str = RANGE_METHODS[0]
    bits: int = CODE_BITS[0]

    def __post_init__(self) -> None:
        for value, known in ((self.kind, QUANTIZERS), (self.granularity, GRANULARITIES), (self.ranges, RANGE_METHODS)):
            if value not in known:
                raise ValueError(f"{value!r} is not known: choose one of {', '.join(known)}")
        if self.bits not in CODE_BITS:
            raise ValueError(f"codes of {self.bits} bits cannot be stored: choose {' or '.join(map(str, CODE_BITS))}")

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The quantizer that a store remembers under this name; StoreMismatch for one that is not known."""
        match = NAME.fullmatch(name)
        try:
            if match is None:
                return cls("")
            kind, granularity, ranges = match["kind"], match["granularity"], match["ranges"] or RANGE_METHODS[0]
            return cls(kind, granularity, ranges, int(match["bits"]))
        except ValueError as error:
            raise StoreMismatch(f"the quantizer {name!r} is not known here: install a newer int8-rag") from error

    @property
    def name(self) -> str:
        """What a store remembers; the ranges are left out where they are the least and greatest values."""
        ranges = "" if self.ranges == RANGE_METHODS[0] else f", {self.ranges} ranges"
        return f"{self.kind} int{self.bits} per {self.granularity}{ranges}"

    def changed(
        self,
        kind: str | None = None,
        granularity: str | None = None,
        ranges: str | None = None,
        bits: int | None = None,
    ) -> Quantizer:
        """The same but for what is given. Other bits bring their usual ranges along where none are asked for."""
        width = bits or self.bits
        usual = self.ranges if width == self.bits else USUAL_RANGES[width]
        return Quantizer(kind or self.kind, granularity or self.granularity, ranges or usual, width)

    @property
    def calibrated(self) -> bool:
        """Whether ranges have to be fitted on a sample before the first vector can be stored."""
        return self.granularity != GRANULARITIES[0]

    @property
    def lowest_code(self) -> int:
        """The lowest code that it makes; a symmetric one leaves the lowest of all unused, so that x and -x are alike."""
        return -self.highest_code - (self.kind == QUANTIZERS[0])

    @property
    def highest_code(self) -> int:
        """The highest code that it makes."""
        return (1 << self.bits - 1) - 1

    @property
    def options(self) -> str:
        """The options of `python -m ingest` that ask for it."""
        granularity = f" --granularity {self.granularity}" if self.calibrated else ""
        ranges = "" if self.ranges == USUAL_RANGES[self.bits] else f" --range {self.ranges}"
        return f"--quantizer {self.kind} --bits {self.bits}{granularity}{ranges}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Ranges fitted on a sample of vectors: x ~ scale * (code - zero_point), one or one a dimension.

    scale: float32, zero_point: int16, low and high (the ranges): float32, all of shape (dimensions,) or, per
    collection, (1,). `saturated_share` of the sample's numbers lay outside the ranges. Version 0 is not stored yet.
    """

    quantizer: Quantizer
    model_sha256: str
    sample_count: int
    sample_hash: str
    saturated_share: float
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int16]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    version: int = 0

    def __post_init__(self) -> None:
        shapes = {values.shape for values in (self.scale, self.zero_point, self.low, self.high)}
        if len(shapes) != 1 or self.scale.ndim != 1 or not len(self.scale):
            raise ValueError(f"a calibration of shapes {sorted(shapes)}: scale, zero-point and ranges must have one")
        if not self.per_dimension and len(self.scale) != 1:
            raise ValueError(f"a calibration per collection has one range, not {len(self.scale)}")
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            raise ValueError("every scale of a calibration must be finite and greater than 0")

    @property
    def per_dimension(self) -> bool:
        """Whether each dimension has a range of its own, which a search has to fold into the query."""
        return self.quantizer.granularity == PER_DIMENSION

    def row(self, version: int) -> dict[str, Any]:
        """The columns of its row in the table `calibrations`."""
        return {
            "version": version,
            "granularity": self.quantizer.granularity,
            "scheme": self.quantizer.kind,
            "ranges": self.quantizer.ranges,
            "model_sha256": self.model_sha256,
            "sample_count": self.sample_count,
            "sample_hash": self.sample_hash,
            "saturated_share": self.saturated_share,
            **{name: getattr(self, name).tolist() for name in ("scale", "zero_point", "low", "high")},
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], bits: int) -> Self:
        """The calibration of a row, in a store whose codes have so many bits."""
        return cls(
            Quantizer(row["scheme"], row["granularity"], row["ranges"], bits),
            row["model_sha256"],
            row["sample_count"],
            row["sample_hash"],
            row["saturated_share"],
            np.array(row["scale"], dtype=np.float32),
            np.array(row["zero_point"], dtype=np.int16),
            np.array(row["low"], dtype=np.float32),
            np.array(row["high"], dtype=np.float32),
            row["version"],
        )

    def same_fit(self, other: Calibration) -> bool:
        """Whether both were fitted in the same way on the same vectors."""
        return (self.quantizer, self.model_sha256, self.sample_hash) == (
            other.quantizer,
            other.model_sha256,
            other.sample_hash,
        )
