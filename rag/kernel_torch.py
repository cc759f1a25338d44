"""The int8 encoder on torch: int8 weights times 8-bit activations, with the CPU's int8 instructions.

One of the doors to torch. The matrix product is oneDNN's, reached through an operator that torch does not document;
where it is missing or wrong, float arithmetic on the same codes takes its place.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from rag.kernel import GELU_MINIMUM, ROUNDING, ZERO_POINT, FoldedLinear, FoldedNorm, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from rag.checkpoint import Checkpoint

    # uint8 codes (rows, in) -> float32 (rows, out)
    Linear = Callable[[torch.Tensor], torch.Tensor]

# The feed-forward's middle is four times as wide as the rest: in blocks of rows it stays in the CPU's caches.
ROWS_PER_BLOCK = 512


class TorchKernel:
    """Runs a checkpoint with int8 weights in memory."""

    def __init__(self, checkpoint: Checkpoint, product: str = "auto") -> None:
        """`product` is the matrix product to use: `onednn`, `float`, or `auto` for the first that works."""
        chosen = choose_product() if product == "auto" else product
        self.name = f"torch int8 ({chosen})"
        self.config = checkpoint.config
        tensors, folded, make = checkpoint.tensors, fold(checkpoint), PRODUCTS[chosen]
        self.word_codes = torch.as_tensor(tensors["embeddings.word.codes"])
        self.word_scale = torch.as_tensor(tensors["embeddings.word.scale"])
        positions = tensors["embeddings.position.codes"].astype("float32")
        self.positions = torch.as_tensor(positions * tensors["embeddings.position.scale"][:, None])
        self.embedding_norm = Norm(folded.embedding_norm, self.config.layer_norm_eps)
        self.layers = [
            Layer(
                make(layer.qkv, ZERO_POINT, "none"),
                make(layer.attention, ZERO_POINT, "none"),
                Norm(layer.attention_norm, self.config.layer_norm_eps),
                make(layer.up, ZERO_POINT, "gelu"),
                make(without_bias(layer.down), 0, "none"),
                torch.as_tensor(layer.down.bias),
                Norm(layer.output_norm, self.config.layer_norm_eps),
            )
            for layer in folded.layers
        ]

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions)."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._forward(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()
        return vectors

    def _forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        texts, tokens = ids.shape
        wide = self.config.dimensions
        flat = ids.flatten()
        words = self.word_codes[flat].float().mul_(self.word_scale[flat].unsqueeze(1)).view(texts, tokens, wide)
        norm = self.embedding_norm
        hidden = norm(words.add_(self.positions[:tokens]).view(-1, wide))
        present = torch.arange(tokens) < lengths.unsqueeze(1)
        mask = attention_mask(present)
        for layer in self.layers:
            attended = layer.attend(hidden, norm, (texts, tokens, self.config.heads), mask)
            hidden, norm = layer.feed_forward(attended), layer.output_norm
        return pool(hidden.view(texts, tokens, wide), present, self.config.pooling)


class Norm:
    """A layer norm that gives codes before they are cut."""

    def __init__(self, norm: FoldedNorm, eps: float) -> None:
        self.weight, self.bias = torch.as_tensor(norm.weight), torch.as_tensor(norm.bias)
        self.residual = torch.as_tensor(norm.residual)
        self.eps = eps

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(values, self.weight.shape, self.weight, self.bias, self.eps)


class Layer:
    """One layer of the encoder."""

    def __init__(
        self,
        qkv: Linear,
        attention: Linear,
        attention_norm: Norm,
        up: Linear,
        down: Linear,
        down_bias: torch.Tensor,
        output_norm: Norm,
    ) -> None:
        self.qkv, self.attention, self.attention_norm = qkv, attention, attention_norm
        self.up, self.down, self.down_bias, self.output_norm = up, down, down_bias, output_norm

    def attend(
        self, hidden: torch.Tensor, before: Norm, shape: tuple[int, int, int], mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Attention and its layer norm, (rows, dimensions)."""
        texts, tokens, heads = shape
        wide = hidden.shape[1]
        qkv = self.qkv(cut(hidden)).view(texts, tokens, 3, heads, wide // heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        rows = attended.transpose(1, 2).reshape(-1, wide)
        return self.attention_norm(self.attention(cut(rows)).addcmul_(hidden, before.residual))

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The two feed-forward linears and the layer norm after them, (rows, dimensions)."""
        lowered = torch.addcmul(self.down_bias, hidden, self.attention_norm.residual)
        for rows, target in zip(hidden.split(ROWS_PER_BLOCK), lowered.split(ROWS_PER_BLOCK), strict=True):
            codes, scale = quantize_activated(self.up(cut(rows)))
            target.add_(self.down(codes).mul_(scale))
        return self.output_norm(lowered)


def cut(values: torch.Tensor) -> torch.Tensor:
    """Codes of values that are in their units and centred at 128.5: saturated to 0..255, never wrapped; uint8."""
    return values.clamp(0, 255).to(torch.uint8)


def quantize_activated(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes 0..255 of GELU's results plus GELU_MINIMUM, and the scale of each row (rows, 1). Overwrites `values`."""
    largest = values.amax(dim=1, keepdim=True).add_(GELU_MINIMUM)
    steps = 255 / largest
    codes = values.mul_(steps).add_(steps.mul_(GELU_MINIMUM).add_(ROUNDING)).to(torch.uint8)
    return codes, largest.div_(255)


def attention_mask(present: torch.Tensor) -> torch.Tensor | None:
    """What keeps attention away from padding, (texts, 1, 1, tokens); None where there is no padding."""
    if bool(present.all()):
        return None
    return torch.zeros(present.shape).masked_fill_(~present, -torch.inf)[:, None, None]


def pool(hidden: torch.Tensor, present: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text: the mean over its tokens, or its first token."""
    if pooling == "cls":
        return hidden[:, 0].clone()
    weights = present.unsqueeze(2).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def without_bias(linear: FoldedLinear) -> FoldedLinear:
    """The same linear layer with a bias of zeros."""
    return FoldedLinear(linear.codes, linear.scale, linear.bias * 0, linear.input_scale)


def onednn_linear(linear: FoldedLinear, zero_point: int, activation: str) -> Linear:
    """oneDNN's int8 product with weights packed for this CPU; scales, bias and GELU are applied as it writes."""
    operators = torch.ops.onednn
    packed = operators.qlinear_prepack(torch.as_tensor(linear.codes), None)
    scale, bias = torch.as_tensor(linear.scale), torch.as_tensor(linear.bias)
    zero_points = torch.zeros(len(scale), dtype=torch.int32)
    step, float32 = linear.input_scale, torch.float32

    def run(codes: torch.Tensor) -> torch.Tensor:
        return operators.qlinear_pointwise(
            codes, step, zero_point, packed, scale, zero_points, bias, 1.0, 0, float32, activation, [], "none"
        )

    return run


def float_linear(linear: FoldedLinear, zero_point: int, activation: str) -> Linear:
    """The same in float arithmetic, exact while sums stay below 2^24; works wherever torch does."""
    block = 512  # 512 * 255 * 127 < 2^24: sums of one block are exact integers in float32
    weights, bias = torch.as_tensor(linear.codes), torch.as_tensor(linear.bias)
    scale = torch.as_tensor(linear.scale) * linear.input_scale

    def run(codes: torch.Tensor) -> torch.Tensor:
        shifted = codes.float().sub_(zero_point)
        total = torch.zeros(len(shifted), len(weights))
        for first in range(0, weights.shape[1], block):
            total.addmm_(shifted[:, first : first + block], weights[:, first : first + block].float().t())
        total.mul_(scale).add_(bias)
        return F.gelu(total) if activation == "gelu" else total

    return run


PRODUCTS = {"onednn": onednn_linear, "float": float_linear}


def choose_product() -> str:
    """`onednn` where torch has the operator and it computes a small product rightly, else `float`."""
    codes, rows = torch.arange(-64, 64, dtype=torch.int8).view(16, 8), torch.arange(24, dtype=torch.uint8).view(3, 8)
    scale = torch.linspace(0.5, 2, 16)
    probe = FoldedLinear(codes.numpy(), scale.numpy(), scale.numpy(), 0.01)
    try:
        found = onednn_linear(probe, ZERO_POINT, "gelu")(rows)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError) as error:
        warnings.warn(f"torch {torch.__version__} lacks the int8 product, float takes its place: {error}", stacklevel=2)
        return "float"
    expected = float_linear(probe, ZERO_POINT, "gelu")(rows)
    return "onednn" if torch.allclose(found, expected, rtol=1e-3, atol=1e-3) else "float"
