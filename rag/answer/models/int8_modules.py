"""Linear layers and embeddings of any torch model with int8 weights. One of the doors to torch.

The product is the encoder's (`rag/encoder/kernel_torch.py`): oneDNN's where torch has it, float arithmetic on the same codes
elsewhere. Unlike the encoder, nothing of the activations is known beforehand, so every token gets a scale and a
zero-point while the model runs: post-training dynamic quantization. Where the CPU adds pairs of products in 16 bits, the
codes are multiplied in two halves: twice the products, and not one of them saturates. A token that is generated is one
row, and reading the weights takes longer than either.

    x ~ s * (q - z)                              q: uint8, s and z one a token
    W ~ w * codes                                codes: int8, w one an output channel
    x W^T ~ s * (w * q codes^T - z * w * codes 1)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from rag.compute.torch_door import torch
from rag.encoder.kernel import FoldedLinear
from rag.encoder.kernel_torch import choose_product, float_linear, halved_linear, onednn_linear
from rag.encoder.probe import pairs_saturate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LEAST_RANGE = 1e-30  # a token of zeros has a scale all the same


class Int8Linear(torch.nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A linear layer with int8 weights, one scale an output channel; its inputs become 8-bit codes token by token."""

    def __init__(
        self,
        codes: NDArray[np.int8],
        scale: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        product: str = "auto",
    ) -> None:
        """`codes` (out, in), `scale` and `bias` (out,); `product` is `onednn`, `float`, or `auto` for what works."""
        super().__init__()
        self.out_features, self.in_features = codes.shape
        no_bias = np.zeros(
            len(codes), dtype=np.float32
        )  # added here, as it must not be multiplied by the tokens' scales
        self.multiply = choose_linear(product)(FoldedLinear(codes, scale, no_bias, 1.0), 0, "none")
        self.channel_sums: torch.Tensor
        self.register_buffer("channel_sums", torch.as_tensor(codes.sum(axis=1, dtype=np.int64) * scale).float())
        self.bias: torch.Tensor | None
        self.register_buffer("bias", None if bias is None else torch.as_tensor(bias))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """`values` (..., in) times the weights, plus the bias: (..., out), of the dtype of `values`."""
        rows = values.reshape(-1, self.in_features).float()
        codes, scale, zero_point = quantize_tokens(rows)
        total = self.multiply(codes)
        total = total.addcmul_(zero_point, self.channel_sums, value=-1).mul_(scale)
        if self.bias is not None:
            total.add_(self.bias)
        return total.view(*values.shape[:-1], self.out_features).to(values.dtype)


class Int8Embedding(torch.nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An embedding with int8 rows, one scale a row."""

    def __init__(self, codes: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
        """`codes` (rows, dimensions), `scale` (rows,)."""
        super().__init__()
        self.num_embeddings, self.embedding_dim = codes.shape
        self.codes: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("codes", torch.as_tensor(codes))
        self.register_buffer("scale", torch.as_tensor(scale))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows of `ids` (...): float32 (..., dimensions)."""
        return self.codes[ids].float().mul_(self.scale[ids].unsqueeze(-1))


def quantize_tokens(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes uint8 of `rows` (tokens, in), with scale and zero-point of each token, float32 (tokens, 1).

    Asymmetric over 0..255, the range widened to include 0: the scheme ASYMMETRIC_UNSIGNED of `rag/int8/quantization.py`,
    in float32. A token that is not finite has no codes and gives an undefined result, as it does in float.
    """
    low, high = torch.aminmax(rows, dim=1, keepdim=True)
    low, high = low.clamp_(max=0), high.clamp_(min=0)
    scale = (high - low).div_(255).clamp_(min=LEAST_RANGE)
    zero_point = low.div_(scale).neg_().round_().clamp_(0, 255)
    codes = (rows / scale).round_().add_(zero_point).clamp_(0, 255).to(torch.uint8)
    return codes, scale, zero_point


def choose_linear(product: str) -> Callable[[FoldedLinear, int, str], Callable[[torch.Tensor], torch.Tensor]]:
    """The maker of the matrix product that is asked for; oneDNN's in halves where whole codes would saturate."""
    if (usable_product() if product == "auto" else product) != "onednn":
        return float_linear
    return halved_linear if saturates() else onednn_linear


@cache
def usable_product() -> str:
    """What `choose_product` finds on this machine, looked for once a process."""
    return choose_product()


@cache
def saturates() -> bool:
    """What `pairs_saturate` finds on this machine, looked for once a process."""
    return pairs_saturate()
