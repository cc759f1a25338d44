"""The float32 model, run by transformers: what the int8 kernels are measured against. One of the doors to transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rag.convert import ActivationRanges, distilbert_weights
from rag.kernel_torch import pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.checkpoint import EncoderConfig
    from rag.weights import FloatModel


def distilbert_model(model: FloatModel) -> Any:
    """A `transformers.DistilBertModel` with the float weights of a DistilBERT or, converted exactly, of a BERT."""
    return distilbert_module(*distilbert_weights(model))


def distilbert_module(tensors: dict[str, NDArray[np.float32]], config: dict[str, Any]) -> Any:
    """The same of tensors and a config that have been read."""
    from transformers import DistilBertConfig, DistilBertModel

    module = DistilBertModel(
        DistilBertConfig(**{key: value for key, value in config.items() if key != "layer_norm_eps"})
    )
    for norm in (part for part in module.modules() if isinstance(part, torch.nn.LayerNorm)):
        norm.eps = config["layer_norm_eps"]
    state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items() if name in module.state_dict()}
    module.load_state_dict(state)
    return module.eval()


def observe_activations(module: Any, ids: NDArray[np.int64]) -> ActivationRanges:
    """The ranges of a DistilBertModel's activations over texts of token ids (texts, tokens)."""
    norms: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    attention: list[float] = []

    def observe_norm(_norm: torch.nn.Module, _inputs: tuple[torch.Tensor], outputs: torch.Tensor) -> None:
        low, high = torch.aminmax(outputs.flatten(0, 1), dim=0)
        norms.append((low.numpy(), high.numpy()))

    def observe_attention(_linear: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        attention.append(float(inputs[0].abs().max()))

    hooks = []
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.LayerNorm):
            hooks.append(part.register_forward_hook(observe_norm))
        elif name.endswith("attention.out_lin"):
            hooks.append(part.register_forward_pre_hook(observe_attention))
    with torch.inference_mode():
        module(input_ids=torch.from_numpy(ids))
    for hook in hooks:  # the module may be observed again
        hook.remove()
    return ActivationRanges(norms, attention)


class FloatKernel:
    """Runs the float model with the same batches, pooling and normalization as the int8 kernels."""

    name = "transformers float32"

    def __init__(self, model: FloatModel, config: EncoderConfig) -> None:
        self.config = config
        self.module = distilbert_model(model)

    def forward(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions)."""
        present = torch.arange(ids.shape[1]) < torch.from_numpy(lengths).unsqueeze(1)
        with torch.inference_mode():
            hidden = self.module(input_ids=torch.from_numpy(ids), attention_mask=present.long()).last_hidden_state
            vectors: NDArray[np.float32] = pool(hidden, present, self.config.pooling).numpy()
        return vectors
