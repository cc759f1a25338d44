"""Rows as the engine returns them in, vectors with their scale and zero-point out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sql.engine.native import varint
from sql.records import QuantizedVectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.records.calibration import Calibration


def read_vectors(rows: Sequence[Row], calibration: Calibration | None) -> QuantizedVectors:
    """Vectors from the codes, scale, zero_point and, where they have it, error of rows, and the ranges that they share."""
    has_errors = bool(rows) and "error" in rows[0]
    return QuantizedVectors(
        np.array([row["codes"] for row in rows] or np.empty((0, 1)), dtype=np.int8),
        np.array([row["scale"] for row in rows], dtype=np.float32),
        np.array([row["zero_point"] for row in rows], dtype=np.int8),
        calibration,
        np.array([row["error"] for row in rows], dtype=np.float32) if has_errors else None,
    )


def unpack_vectors(
    packed: bytes, dimensions: int, calibration: Calibration | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], QuantizedVectors]:
    """Generations, chunk indexes and vectors from rows of `generation, chunk_index, codes, scale, zero_point`.

    Packed as RowBinary, all of one length: an array is its length (LEB128) and its numbers.
    """
    length = len(varint(dimensions))
    row = np.dtype(
        [
            ("generation", "<u8"),
            ("chunk_index", "<u4"),
            ("length", f"V{length}"),
            ("codes", "i1", (dimensions,)),
            ("scale", "<f4"),
            ("zero_point", "i1"),
        ]
    )
    rows = np.frombuffer(packed, dtype=row)
    vectors = QuantizedVectors(
        np.ascontiguousarray(rows["codes"]),
        rows["scale"].astype(np.float32),
        np.ascontiguousarray(rows["zero_point"]),
        calibration,
    )
    return rows["generation"], rows["chunk_index"], vectors
