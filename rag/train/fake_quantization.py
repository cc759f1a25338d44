"""The int8 encoder in float32, able to learn: fake quantization in the forward pass, straight through in the backward.

A smoothed float encoder in, a checkpoint out. Weights and activations are quantized and restored at once, where and as
the kernels do it (rag/encoder/kernel.py), so that what is learned survives the rounding; in the backward pass rounding counts
as the identity. Scales of weights are learned beside the weights. One of the doors to torch.

Sources: Y. Bengio et al. 2013, arXiv:1308.3432 (the straight-through estimator); B. Jacob et al. 2018, arXiv:1712.05877
(training with simulated quantization); S. Esser et al., "Learned step size quantization", 2020, arXiv:1902.08153 (the
gradient of a scale, which here follows from the straight-through rounding by itself).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.compute.torch_door import torch
from rag.encoder.attention_torch import DistanceBias, masked
from rag.encoder.checkpoint import Checkpoint
from rag.encoder.convert import Recipe, quantize_smoothed
from rag.encoder.families import SECOND_TYPE
from rag.encoder.kernel import GELU_MINIMUM, ZERO_POINT
from rag.encoder.kernel_torch import pool

F = torch.nn.functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rag.encoder.convert import SmoothedEncoder

ACTIVATIONS = ("static", "dynamic")


def learned_fake_quantize(values: torch.Tensor, scale: torch.Tensor, lo: int, hi: int) -> torch.Tensor:
    """`scale * clip(round(values / scale), lo, hi)`, whose gradients take the rounding for the identity.

    Values within the range get the gradient unchanged, those beyond it none.
    """
    steps = (values / scale).clamp(lo, hi)
    return (steps + (steps.round() - steps).detach()) * scale


class FakeLinear(torch.nn.Module):  # type: ignore[misc]
    """A linear layer with a fake-quantized weight (out, in) and one learned scale a channel, or one for all."""

    def __init__(
        self, name: str, smoothed: SmoothedEncoder, start: Checkpoint, recipe: Recipe, activations: str
    ) -> None:
        super().__init__()
        self.scheme, self.activations = recipe.scheme, activations
        self.rounds = True  # False computes the same in float32
        self.weight = torch.nn.Parameter(torch.as_tensor(smoothed.tensors[f"{name}.weight"]).clone())
        self.bias = torch.nn.Parameter(torch.as_tensor(smoothed.tensors[f"{name}.bias"]).clone())
        scale = torch.as_tensor(start.tensors[f"{name}.scale"])
        # The logarithm is learned: a scale stays positive, and one learning rate fits all scales.
        self.log_scale = torch.nn.Parameter((scale[:1] if recipe.weights == "per-tensor" else scale).log())
        step = smoothed.extras.get(f"{name}.input_scale")
        self.input_scale: torch.Tensor | None
        self.register_buffer("input_scale", None if step is None else torch.as_tensor(step).clone())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., in) to values (..., out)."""
        if not self.rounds:
            return F.linear(values, self.weight, self.bias)
        return F.linear(self.codes_of(values), self.restored_weight(), self.bias)

    def codes_of(self, values: torch.Tensor) -> torch.Tensor:
        """The input as its 8-bit codes stand for it; after GELU, which has no static scale, of each token by itself."""
        if self.input_scale is None:
            scale = (values.detach().amax(-1, keepdim=True) + GELU_MINIMUM) / 255
            return learned_fake_quantize(values + GELU_MINIMUM, scale, 0, 255) - GELU_MINIMUM
        scale = self.input_scale
        if self.activations == "dynamic":
            scale = values.detach().abs().amax(-1, keepdim=True).clamp_min(1e-12) / (ZERO_POINT - 1)
        return learned_fake_quantize(values, scale, -ZERO_POINT, ZERO_POINT - 1)

    def restored_weight(self) -> torch.Tensor:
        """The weight as its codes stand for it."""
        return learned_fake_quantize(self.weight, self.log_scale.exp().unsqueeze(1), self.scheme.lo, self.scheme.hi)

    def tensors(self, name: str) -> dict[str, NDArray[Any]]:
        """The codes, the scale of each channel and the bias, as a checkpoint holds them."""
        with torch.no_grad():
            scale = self.log_scale.exp()
            codes = (self.weight / scale.unsqueeze(1)).clamp(self.scheme.lo, self.scheme.hi).round()
            return {
                f"{name}.codes": codes.to(torch.int8).cpu().numpy(),
                f"{name}.scale": scale.expand(len(self.weight)).contiguous().cpu().numpy(),
                f"{name}.bias": self.bias.detach().cpu().numpy().copy(),
            }


class FakeNorm(torch.nn.Module):  # type: ignore[misc]
    """A smoothed layer norm, and the factors by which its output is multiplied where it is added to what follows."""

    def __init__(self, name: str, smoothed: SmoothedEncoder) -> None:
        super().__init__()
        self.weight, self.bias = (
            torch.nn.Parameter(torch.as_tensor(smoothed.tensors[f"{name}.{part}"]).clone())
            for part in ("weight", "bias")
        )
        self.residual: torch.Tensor
        self.register_buffer("residual", torch.as_tensor(smoothed.extras[f"{name}.residual"]).clone())
        self.eps = smoothed.config.layer_norm_eps

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., dimensions), normalized."""
        return F.layer_norm(values, self.weight.shape, self.weight, self.bias, self.eps)

    def tensors(self, name: str) -> dict[str, NDArray[Any]]:
        """The weight and the bias, as a checkpoint holds them."""
        return {f"{name}.{part}": getattr(self, part).detach().cpu().numpy().copy() for part in ("weight", "bias")}


class FakeQuantizedEncoder(torch.nn.Module):  # type: ignore[misc]
    """An encoder whose outputs are those of its own checkpoint, but for the order in which floats are added.

    Embedding rows are 8 bit and stay as they are: a row is only seen where its token is, and most tokens are in no
    corpus. Everything else learns, but for the steps of the activations and a bias by distance.
    """

    def __init__(self, smoothed: SmoothedEncoder, recipe: Recipe, activations: str = "static") -> None:
        super().__init__()
        self.start = quantize_smoothed(smoothed, recipe)
        self.config = self.start.config
        for kind in ("word", "position"):
            codes, scale = (self.start.tensors[f"embeddings.{kind}.{part}"] for part in ("codes", "scale"))
            self.register_buffer(kind, torch.as_tensor(codes.astype(np.float32) * scale[:, None]))
        self.second_type: torch.nn.Parameter | None = None
        if SECOND_TYPE in self.start.tensors:
            self.second_type = torch.nn.Parameter(torch.as_tensor(self.start.tensors[SECOND_TYPE]).clone())
        self.distance_bias = DistanceBias(smoothed.extras.get("distance_bias"))
        names = [name.removesuffix(".weight") for name, tensor in smoothed.tensors.items() if name.endswith(".weight")]
        self.linears, self.norms = torch.nn.ModuleDict(), torch.nn.ModuleDict()
        for name in names:
            if name.endswith("norm"):
                self.norms[key(name)] = FakeNorm(name, smoothed)
            elif not name.startswith("embeddings."):
                self.linears[key(name)] = FakeLinear(name, smoothed, self.start, recipe, activations)

    def forward(
        self, ids: torch.Tensor, lengths: torch.Tensor, types: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pooled vectors (texts, dimensions), of length 1 where the model's are, and hidden states (texts, tokens,
        dimensions), of padded ids (texts, tokens) and their true lengths (texts,).

        `types` (texts, tokens) are 1 for the tokens of a second text, 0 for others.
        """
        texts, tokens = ids.shape
        heads = self.config.heads
        norm = self.norms["embeddings/norm"]
        embedded = self.word[ids] + self.position[:tokens]
        if types is not None and self.second_type is not None:
            embedded = embedded + types.unsqueeze(2) * self.second_type
        hidden = norm(embedded)
        present = torch.arange(tokens, device=ids.device) < lengths.unsqueeze(1)
        mask = None if bool(present.all()) else present[:, None, None]
        if (bias := self.distance_bias(tokens)) is not None:
            bias = bias.to(ids.device)
            mask = bias if mask is None else masked(bias, mask)
        for layer in range(self.config.layers):
            of = f"layer/{layer}"
            qkv = self.linears[f"{of}/qkv"](hidden).view(texts, tokens, 3, heads, -1)
            query, key_, value = qkv.permute(2, 0, 3, 1, 4)
            attended = F.scaled_dot_product_attention(query, key_, value, attn_mask=mask)
            rows = attended.transpose(1, 2).reshape(texts, tokens, -1)
            inner = self.norms[f"{of}/attention_norm"]
            hidden = inner(self.linears[f"{of}/attention"](rows) + hidden * norm.residual)
            raised = F.gelu(self.linears[f"{of}/up"](hidden))
            norm = self.norms[f"{of}/output_norm"]
            hidden = norm(self.linears[f"{of}/down"](raised) + hidden * inner.residual)
        vectors = pool(hidden, present, self.config.pooling)
        return (F.normalize(vectors, eps=1e-12) if self.config.normalized else vectors), hidden

    def checkpoint(self) -> Checkpoint:
        """What has been learned, as a checkpoint; raises ModelError where it is not finite."""
        tensors = dict(self.start.tensors)
        for modules in (self.linears, self.norms):
            for name, part in modules.items():
                tensors |= part.tensors(name.replace("/", "."))
        if self.second_type is not None:
            tensors[SECOND_TYPE] = self.second_type.detach().cpu().numpy().copy()
        return Checkpoint(self.config, tensors)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """While it lasts, nothing but the embeddings is rounded."""
        for linear in self.linears.values():
            linear.rounds = False
        try:
            yield
        finally:
            for linear in self.linears.values():
                linear.rounds = True


def key(name: str) -> str:
    """A tensor's name as torch allows it for a module, which may hold no dot."""
    return name.replace(".", "/")
