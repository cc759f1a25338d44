"""Float vectors in, codes for a store out, whatever shares a range there; and a warning when shared ranges have drifted.

Where vectors share ranges, these are fitted on the first vectors of the store, kept as a versioned row, and used from
then on. New vectors may hold numbers outside: they saturate, and are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np

from rag.int8.quantization import (
    AXES,
    RANGES,
    choose_parameters,
    finite_floats,
    quantize,
    quantize_vectors,
    vector_scheme,
    with_errors,
)
from sql.base.settings import QUANTIZERS
from sql.records import QuantizedVectors
from sql.records.calibration import Calibration, Quantizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.int8.quantization import Scheme
    from sql.records import EncoderIdentity
    from sql.store import Store

CALIBRATION_VECTORS = 2048  # as many first vectors are sampled; fewer where a run has fewer
FEW_VECTORS = 256  # ranges fitted on fewer are likely too narrow for what comes later
DRIFT_FACTOR, DRIFT_MARGIN = 2.0, 0.001


@dataclass
class VectorCoder:
    """Codes vectors for one store, with its own ranges or the shared ones, and counts what saturates."""

    store: Store
    scheme: Scheme
    quantizer: Quantizer
    model_sha256: str
    calibration: Calibration | None = None
    fitted: bool = False
    vectors: int = 0
    numbers: int = 0
    saturated: int = 0

    @classmethod
    def for_store(cls, store: Store, encoder: EncoderIdentity, *, recalibrate: bool = False) -> Self:
        """The coder of a store: it goes on with the ranges in use, or with `recalibrate` fits new ones."""
        collection = store.collection()
        quantizer = collection.vector_quantizer if collection else Quantizer(QUANTIZERS[0])
        used = None if recalibrate else store.snapshot().calibration()
        return cls(store, vector_scheme(quantizer), quantizer, encoder.model_sha256, used)

    @property
    def needs_sample(self) -> bool:
        """Whether ranges have to be fitted before anything can be coded."""
        return self.quantizer.calibrated and self.calibration is None

    def calibrate(self, sample: NDArray[np.float32]) -> Calibration:
        """Fits the shared ranges on the first vectors (n, dimensions) and stores them under a new version."""
        fitted = fit_calibration(sample, self.quantizer, self.model_sha256)
        self.calibration, self.fitted = self.store.writer.add_calibration(fitted), True
        return self.calibration

    def encode(self, vectors: NDArray[np.float32]) -> QuantizedVectors:
        """Vectors (n, dimensions) as codes; raises InvalidVector for what is not finite."""
        if self.calibration is None:
            return quantize_vectors(vectors, self.scheme, self.quantizer.ranges)
        codes = code_vectors(vectors, self.calibration)
        self.vectors += len(vectors)
        self.numbers += vectors.size
        self.saturated += count_saturated(vectors, self.calibration)
        return codes

    def notes(self) -> list[str]:
        """What the user should know of the ranges that were used: one sentence where they are new, one if they drifted."""
        used = self.calibration
        fitted = (
            [f"calibration {used.version} was fitted on {counted_vectors(used.sample_count)}"]
            if used and self.fitted
            else []
        )
        if fitted and used and used.sample_count < FEW_VECTORS:
            fitted[0] += (
                f", fewer than {FEW_VECTORS}: later documents may lie outside its ranges, "
                "run again with --recalibrate when there are more"
            )
        drifted = self.drift()
        return [*fitted, drifted] if drifted else fitted

    def drift(self) -> str | None:
        """One sentence where the vectors of this run saturate far more than the sample did, None where they do not.

        The rule: more than twice the share that is expected, and 0.1 % of all numbers beyond that. Expected is what
        lay outside in the sample, and of min-max ranges what n numbers teach about one more: it lies outside of their
        range with probability 2 / (n + 1).
        """
        used = self.calibration
        if used is None or self.fitted or not self.numbers:
            return None
        share = self.saturated / self.numbers
        if share <= drift_threshold(used, self.numbers // self.vectors):
            return None
        return (
            f"{share:.2%} of the numbers in {counted_vectors(self.vectors)} lie outside the ranges of calibration "
            f"{used.version}, of its {used.sample_count:,} sampled vectors {used.saturated_share:.2%} did: they were "
            "clipped, and the search gets less exact; run `python -m ingest PATH... --recalibrate` with all folders"
        )


def counted_vectors(vectors: int) -> str:
    """`1 vector`, `2 vectors`."""
    return f"{vectors:,} vector{'' if vectors == 1 else 's'}"


def drift_threshold(calibration: Calibration, dimensions: int) -> float:
    """The share of saturated numbers in new vectors above which a calibration counts as drifted."""
    per_range = calibration.sample_count * (1 if calibration.per_dimension else dimensions)
    return DRIFT_FACTOR * (calibration.saturated_share + 2 / (per_range + 1)) + DRIFT_MARGIN


def fit_calibration(sample: NDArray[np.float32], quantizer: Quantizer, model_sha256: str) -> Calibration:
    """Ranges for vectors like those of a sample (n, dimensions), not stored yet; the same for the same sample."""
    sample = finite_floats(sample, "vectors", ("row", "dimension"))
    scheme = vector_scheme(quantizer)
    low, high = (
        np.asarray(end, dtype=np.float32)
        for end in RANGES[quantizer.ranges](sample, AXES[quantizer.granularity], scheme)
    )
    scale, zero_point = choose_parameters(low, high, scheme)
    return Calibration(
        quantizer,
        model_sha256,
        sample_count=len(sample),
        sample_hash=blake2b(np.ascontiguousarray(sample).tobytes(), digest_size=16).hexdigest(),
        saturated_share=float(outside(sample, low, high, symmetric=scheme.symmetric).mean()),
        scale=scale.reshape(-1),
        zero_point=zero_point.reshape(-1).astype(np.int16),
        low=low.reshape(-1),
        high=high.reshape(-1),
    )


def code_vectors(vectors: NDArray[np.float32], calibration: Calibration) -> QuantizedVectors:
    """Vectors (n, dimensions) as codes of shared ranges; what lies outside saturates."""
    vectors = finite_floats(vectors, "vectors", ("row", "dimension"))
    scheme = vector_scheme(calibration.quantizer)
    codes = quantize(vectors, calibration.scale, calibration.zero_point, scheme).astype(np.int8)
    shared = (1.0, 0) if calibration.per_dimension else (calibration.scale[0], calibration.zero_point[0])
    rows = len(vectors)
    scale, zero_point = np.full(rows, shared[0], dtype=np.float32), np.full(rows, shared[1], dtype=np.int8)
    return with_errors(QuantizedVectors(codes, scale, zero_point, calibration), vectors)


def count_saturated(vectors: NDArray[np.float32], calibration: Calibration) -> int:
    """How many numbers of vectors (n, dimensions) lie outside the ranges of a calibration."""
    symmetric = vector_scheme(calibration.quantizer).symmetric
    return int(outside(vectors, calibration.low, calibration.high, symmetric=symmetric).sum())


def outside(
    values: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32], *, symmetric: bool
) -> NDArray[np.bool_]:
    """Which values lie outside of ranges that, as always, include 0, and are even on both sides if symmetric."""
    if symmetric:
        return np.asarray(np.abs(values) > np.maximum(np.abs(low), np.abs(high)))
    return np.asarray((values < np.minimum(low, 0)) | (values > np.maximum(high, 0)))
