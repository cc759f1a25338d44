"""What every int8 kernel computes, and what they share: token ids of equal padded length in, one vector a text out.

Activations become 8 bit per token: each row of a matrix gets its own scale, so a text's vector does not depend on which
texts share its batch. After GELU, which is never below -0.17, the whole range of 8 bits is used by shifting it to start
at zero; the shift is folded into the bias of the layer that follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.checkpoint import Checkpoint

GELU_MINIMUM = 0.1699713  # GELU(-0.7517916) = -0.16997120, the least value of x * Phi(x); rounded up, so a true bound
CODE_OFFSET = 128  # signed codes -127..127 travel as unsigned ones, which every CPU's int8 instructions take
SMALLEST_RANGE = 1e-12  # of a row of zeros: any scale will do, but not 0


class Kernel(Protocol):
    """One way to run the encoder on one kind of hardware."""

    name: str

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions), of padded ids (texts, tokens) with their true lengths."""
        ...


def shifted_bias(checkpoint: Checkpoint, name: str) -> NDArray[np.float32]:
    """The bias of a layer whose input comes shifted by GELU_MINIMUM: W (g + c) + (b - c W 1) = W g + b."""
    codes, scale, bias = (checkpoint.tensors[f"{name}.{part}"] for part in ("codes", "scale", "bias"))
    row_sums = codes.sum(axis=1, dtype=np.int64).astype(np.float64) * scale
    return np.asarray(bias - GELU_MINIMUM * row_sums, dtype=np.float32)
