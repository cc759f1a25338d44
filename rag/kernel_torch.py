"""The int8 encoder on torch: int8 weights times 8-bit activations, with the CPU's int8 instructions.

One of the doors to torch. The matrix product is oneDNN's, reached through an operator that torch does not document;
where it is missing or fails, `torch._int_mm` or plain float arithmetic on the same codes takes its place.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from rag.kernel import CODE_OFFSET, GELU_MINIMUM, SMALLEST_RANGE, shifted_bias

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from rag.checkpoint import Checkpoint

    # uint8 codes (rows, in) and their zero-point -> float32 (rows, out): the exact integer product times the channel scale
    Product = Callable[[torch.Tensor, int], torch.Tensor]


class TorchKernel:
    """Runs a checkpoint with int8 weights in memory."""

    def __init__(self, checkpoint: Checkpoint, product: str = "auto") -> None:
        """`product` is the matrix product to use: `onednn`, `float`, or `auto` for the first that works."""
        config = checkpoint.config
        self.config = config
        tensors = checkpoint.tensors
        chosen = choose_product() if product == "auto" else product
        make_product = PRODUCTS[chosen]
        self.name = f"torch int8 ({chosen})"
        self.word_codes = torch.as_tensor(tensors["embeddings.word.codes"])
        self.word_scale = torch.as_tensor(tensors["embeddings.word.scale"])
        positions = tensors["embeddings.position.codes"].astype("float32")
        self.positions = torch.as_tensor(positions * tensors["embeddings.position.scale"][:, None])
        self.embedding_norm = self._norm(checkpoint, "embeddings.norm")
        self.embedding_residual = torch.as_tensor(tensors["embeddings.norm.residual"])
        self.layers = []
        for index in range(config.layers):
            layer: dict[str, Any] = {}
            for name in ("qkv", "attention", "up", "down"):
                full = f"layer.{index}.{name}"
                codes, scale = (torch.as_tensor(tensors[f"{full}.{part}"]) for part in ("codes", "scale"))
                layer[name] = make_product(codes, scale)
                bias = shifted_bias(checkpoint, full) if name == "down" else tensors[f"{full}.bias"]
                layer[f"{name}_bias"] = torch.as_tensor(bias)
            for name in ("attention_norm", "output_norm"):
                layer[name] = self._norm(checkpoint, f"layer.{index}.{name}")
                layer[f"{name}_residual"] = torch.as_tensor(tensors[f"layer.{index}.{name}.residual"])
            self.layers.append(layer)

    def _norm(self, checkpoint: Checkpoint, name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        weight, bias = (torch.as_tensor(checkpoint.tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        shape, eps = (self.config.dimensions,), self.config.layer_norm_eps
        return lambda values: F.layer_norm(values, shape, weight, bias, eps)

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions)."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._forward(ids, lengths).numpy()
        return vectors

    def _forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> torch.Tensor:
        texts, tokens = ids.shape
        heads, wide = self.config.heads, self.config.dimensions
        flat = torch.from_numpy(ids).flatten()
        words = self.word_codes[flat].float().mul_(self.word_scale[flat].unsqueeze(1)).view(texts, tokens, wide)
        hidden = self.embedding_norm(words.add_(self.positions[:tokens])).view(-1, wide)
        present = torch.arange(tokens) < torch.from_numpy(lengths).unsqueeze(1)
        mask = (
            None
            if bool(present.all())
            else torch.zeros(texts, 1, 1, tokens).masked_fill_(~present[:, None, None], -torch.inf)
        )
        residual = self.embedding_residual
        for layer in self.layers:
            qkv = linear(layer["qkv"], layer["qkv_bias"], *quantize_rows(hidden))
            query, key, value = qkv.view(texts, tokens, 3, heads, wide // heads).permute(2, 0, 3, 1, 4)
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            rows = attended.transpose(1, 2).reshape(-1, wide)
            hidden = layer["attention_norm"](
                linear(layer["attention"], layer["attention_bias"], *quantize_rows(rows)).addcmul_(hidden, residual)
            )
            residual = layer["attention_norm_residual"]
            raised = F.gelu(linear(layer["up"], layer["up_bias"], *quantize_rows(hidden)))
            hidden = layer["output_norm"](
                linear(layer["down"], layer["down_bias"], *quantize_shifted_rows(raised)).addcmul_(hidden, residual)
            )
            residual = layer["output_norm_residual"]
        return pool(hidden.view(texts, tokens, wide), present, self.config.pooling)


def pool(hidden: torch.Tensor, present: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text: the mean over its tokens, or its first token."""
    if pooling == "cls":
        return hidden[:, 0].clone()
    weights = present.unsqueeze(2).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def quantize_rows(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Symmetric 8-bit codes of each row as uint8 with zero-point 128, and the rows' scales (rows, 1)."""
    low, high = torch.aminmax(values, dim=1, keepdim=True)
    scale = torch.maximum(high, low.neg_()).clamp_(min=SMALLEST_RANGE).div_(127)
    codes = (values / scale).round_().add_(CODE_OFFSET).to(torch.uint8)
    return codes, scale, CODE_OFFSET


def quantize_shifted_rows(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Codes 0..255 of each row of GELU's results plus GELU_MINIMUM, and the rows' scales. Overwrites `values`."""
    values.add_(GELU_MINIMUM).clamp_(min=0)
    scale = values.amax(dim=1, keepdim=True).clamp_(min=SMALLEST_RANGE).div_(255)
    return values.div_(scale).round_().to(torch.uint8), scale, 0


def linear(
    product: Product, bias: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor, zero_point: int
) -> torch.Tensor:
    """A linear layer on codes: the integer product, times the row's scale, plus the bias."""
    return torch.addcmul(bias, product(codes, zero_point), scale)


def onednn_product(codes: torch.Tensor, scale: torch.Tensor) -> Product:
    """oneDNN's int8 product with weights packed for this CPU."""
    operators = torch.ops.onednn
    packed = operators.qlinear_prepack(codes, None)
    zero_points = torch.zeros(len(scale), dtype=torch.int32)

    def product(activations: torch.Tensor, zero_point: int) -> torch.Tensor:
        return operators.qlinear_pointwise(
            activations, 1.0, zero_point, packed, scale, zero_points, None, 1.0, 0, torch.float32, "none", [], ""
        )

    return product


def float_product(codes: torch.Tensor, scale: torch.Tensor) -> Product:
    """The same product in float arithmetic, exact while sums stay below 2^24; works wherever torch does."""
    block = 512  # 512 * 255 * 127 < 2^24: sums of one block are exact integers in float32

    def product(activations: torch.Tensor, zero_point: int) -> torch.Tensor:
        shifted = activations.float().sub_(zero_point)
        total = torch.zeros(len(shifted), len(codes))
        for first in range(0, codes.shape[1], block):
            total.addmm_(shifted[:, first : first + block], codes[:, first : first + block].float().t())
        return total.mul_(scale)

    return product


PRODUCTS = {"onednn": onednn_product, "float": float_product}


def choose_product() -> str:
    """`onednn` where torch has the operator and it computes a small product rightly, else `float`."""
    codes = torch.arange(-64, 64, dtype=torch.int8).view(16, 8)
    scale, rows = torch.linspace(0.5, 2, 16), torch.arange(24, dtype=torch.uint8).view(3, 8)
    try:
        found = onednn_product(codes, scale)(rows, CODE_OFFSET)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError) as error:
        warnings.warn(f"torch {torch.__version__} lacks the int8 product, float takes its place: {error}", stacklevel=2)
        return "float"
    return "onednn" if torch.allclose(found, float_product(codes, scale)(rows, CODE_OFFSET), rtol=1e-5) else "float"
