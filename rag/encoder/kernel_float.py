"""The float32 model, run by transformers: what the int8 kernels are measured against. One of the doors to transformers."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.compute.torch_door import torch
from rag.encoder.attention_torch import masked
from rag.encoder.distilbert import distilbert_weights
from rag.encoder.families import DISTANCE_BIAS, SECOND_TYPE, distance_bias
from rag.encoder.float_heads import headed_weights
from rag.encoder.heads import Head
from rag.encoder.kernel import OneBatchAtATime
from rag.encoder.kernel_torch import pool
from rag.encoder.smoothing import ActivationRanges
from sql.base.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.encoder.checkpoint import EncoderConfig
    from rag.encoder.weights import FloatModel


def distilbert_model(model: FloatModel) -> Any:
    """A `transformers.DistilBertModel` with the float weights of a DistilBERT or, converted exactly, of another encoder."""
    return distilbert_module(*distilbert_weights(model))


def distilbert_module(tensors: dict[str, NDArray[np.float32]], config: dict[str, Any]) -> Any:
    """The same of tensors and a config that have been read."""
    from transformers import DistilBertConfig, DistilBertModel

    others = {"layer_norm_eps", "distance_buckets"}  # that DistilBERT does not know
    module = DistilBertModel(DistilBertConfig(**{key: value for key, value in config.items() if key not in others}))
    for norm in (part for part in module.modules() if isinstance(part, torch.nn.LayerNorm)):
        norm.eps = config["layer_norm_eps"]
    state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items() if name in module.state_dict()}
    module.load_state_dict(state)
    if DISTANCE_BIAS in tensors:
        add_distance_bias(module, tensors[DISTANCE_BIAS])
    return module.eval()


def add_distance_bias(module: Any, table: NDArray[np.float32]) -> None:
    """Lets a DistilBertModel add a bias by distance (buckets, heads) to its scores: it reaches them as the mask."""

    def with_bias(_module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        ids, mask = given.get("input_ids"), given.get("attention_mask")
        texts = given["inputs_embeds"] if ids is None else ids
        bias = torch.from_numpy(distance_bias(table, texts.shape[1])).to(texts.device)
        mask = bias.expand(len(texts), -1, -1, -1) if mask is None else masked(bias, mask[:, None, None].bool())
        return args, given | {"attention_mask": mask}

    module.register_forward_pre_hook(with_bias, with_kwargs=True)


def embedded(
    module: Any, ids: NDArray[np.int64], types: NDArray[np.int64] | None, second_type: NDArray[np.float32] | None
) -> dict[str, torch.Tensor]:
    """The input of a DistilBertModel for token ids (texts, tokens): with `types` of the same shape, 1 for tokens of a
    second text, the embeddings of words to which `second_type` (dimensions,) is added there.
    """
    if types is None or second_type is None:
        return {"input_ids": torch.from_numpy(ids)}
    words = module.embeddings.word_embeddings(torch.from_numpy(ids))
    return {"inputs_embeds": words + torch.from_numpy(types).unsqueeze(2) * torch.from_numpy(second_type)}


def observe_activations(
    module: Any,
    ids: NDArray[np.int64],
    types: NDArray[np.int64] | None = None,
    second_type: NDArray[np.float32] | None = None,
) -> ActivationRanges:
    """The ranges of a DistilBertModel's activations over texts of token ids (texts, tokens); the rest as `embedded`."""
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
        module(**embedded(module, ids, types, second_type))
    for hook in hooks:  # the module may be observed again
        hook.remove()
    return ActivationRanges(norms, attention)


def load_libraries() -> None:
    """Loads what running a float model needs, and starts torch's threads, so that neither counts as the model's."""
    from transformers import DistilBertConfig, DistilBertModel

    tiny = DistilBertConfig(vocab_size=8, dim=8, n_layers=1, n_heads=1, hidden_dim=8, max_position_embeddings=8)
    with torch.inference_mode():
        DistilBertModel(tiny).eval()(input_ids=torch.zeros((1, 4), dtype=torch.int64))
        torch.nn.functional.linear(torch.ones(512, 512), torch.ones(512, 512))


def random_distilbert() -> Any:
    """A DistilBertModel with drawn weights in the architecture of distilbert-base-uncased: transformers' defaults."""
    from transformers import DistilBertConfig, DistilBertModel

    return DistilBertModel(DistilBertConfig()).eval()


def module_tensors(module: Any) -> dict[str, NDArray[np.float32]]:
    """A module's weights by their names, float32; they share its memory."""
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def float_bytes_on_disk(module: Any) -> int:
    """Bytes on disk of a float module's weights, written by transformers as safetensors."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        module.save_pretrained(folder)
        return sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))


def threads() -> int:
    """How many threads torch computes with."""
    return int(torch.get_num_threads())


def quantize_linears(module: Any) -> Any:
    """A copy of a float module with the literature's recipe: torch's dynamic quantization of its Linear layers.

    Kept as a reference to compare with: torch has announced that the function goes. Raises ModelError where it has
    gone, or where torch has no quantized engine for this CPU.
    """
    quantize = getattr(getattr(torch.ao, "quantization", None), "quantize_dynamic", None)
    if quantize is None:
        raise ModelError(f"torch {torch.__version__} no longer has quantize_dynamic")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls all of it deprecated; here it is the thing to beat
            return quantize(module, {torch.nn.Linear}, dtype=torch.qint8)
    except (AttributeError, NotImplementedError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"torch {torch.__version__} cannot run quantize_dynamic here: {reason}") from error


def unpack_linear(packed: object) -> list[object]:
    """Weight and bias of a Linear that torch has packed for quantize_dynamic."""
    weight, bias = torch.ops.quantized.linear_unpack(packed)
    return [weight, bias]


def saved_bytes(module: Any) -> int:
    """Bytes on disk of a module's weights, written by torch.save as its users do."""
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the storage that its own quantized tensors use
        torch.save(module.state_dict(), Path(folder) / "weights.pt")
        return (Path(folder) / "weights.pt").stat().st_size


class FloatKernel(OneBatchAtATime):
    """Runs the float model with the same batches, pooling and normalization as the int8 kernels."""

    name = "transformers float32"
    pads = True

    def __init__(self, model: FloatModel, config: EncoderConfig) -> None:
        self.config = config
        self.pooling = self.config.pooling
        self.second_type: NDArray[np.float32] | None = None
        if config.head is None:
            self.module = distilbert_model(model)
            return
        tensors, arranged, head = headed_weights(model, config.head.task)
        self.module = distilbert_module(tensors, arranged)
        self.second_type = tensors.get(SECOND_TYPE)
        self.head = Head(head, tensors)

    def forward(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], types: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Pooled vectors, float32 (texts, dimensions), or those of all tokens."""
        present = torch.arange(ids.shape[1]) < torch.from_numpy(lengths).unsqueeze(1)
        with torch.inference_mode():
            given = embedded(self.module, ids, types, self.second_type)
            hidden = self.module(**given, attention_mask=present.long()).last_hidden_state
            vectors: NDArray[np.float32] = pool(hidden, present, self.pooling).numpy()
        return vectors


class DynamicKernel(FloatKernel):
    """The float model with the literature's recipe, `quantize_dynamic`; its embeddings stay float32."""

    name = "transformers quantize_dynamic"

    def __init__(self, model: FloatModel, config: EncoderConfig) -> None:
        super().__init__(model, config)
        self.module = quantize_linears(self.module)
