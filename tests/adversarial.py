"""Vectors that are hard on a bound: huge, tiny, equal, nearly equal and tied ones, of any range and sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hard_vectors(dimensions: int, seed: int = 0) -> NDArray[np.float32]:
    """Some forty vectors, float32 (rows, dimensions), none longer than float32 can hold when it is restored."""
    random = np.random.default_rng(seed)
    unit = random.standard_normal((8, dimensions))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    signs = np.where(np.arange(dimensions) % 2, 1.0, -1.0)
    spike = np.full(dimensions, 1e-3)
    spike[seed % dimensions] = 1e6
    halves = 0.02 * (np.arange(dimensions) % 255 - 127 + 0.5)  # each number between two codes
    rows = [
        *unit,
        *(unit[0] + 1e-4 * random.standard_normal((4, dimensions))),  # near duplicates
        unit[1],  # a tie
        *np.nextafter(unit[:2].astype(np.float32), np.float32(1)),  # one bit away
        spike,
        -spike,
        np.full(dimensions, 0.25),
        np.full(dimensions, -3.0),
        np.zeros(dimensions),
        signs,
        1e-3 * signs,
        halves,
        -halves,
        np.full(dimensions, 1e-42),  # less than the least normal float32
        1e-40 * signs,
        1e-20 * unit[2],
        1e30 * unit[3],
        1e37 * signs / dimensions,
        np.linspace(-1, 1, dimensions),
        np.abs(unit[4]),  # never negative
        -np.abs(unit[4]),
        5 * unit[5] + 2,  # far from 0
        np.eye(1, dimensions, dimensions // 2)[0],
    ]
    return np.array(rows, dtype=np.float64).astype(np.float32)
