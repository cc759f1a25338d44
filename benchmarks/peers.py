"""What the int8 encoder is measured against: other ways to run the same weights on a CPU, each at its best.

A float model in; competitors out, each of which turns texts into vectors of length 1. All but sentence-transformers,
which brings its own, share one way of batching: sorted by length, padded to the longest, some texts at a time.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rag.encoder.kernel_float import distilbert_model
from rag.encoder.kernel_torch import pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.encoder.checkpoint import EncoderConfig
    from rag.encoder.weights import FloatModel
    from rag.text.tokenizer import Tokenizer

    Floats = NDArray[np.float32]
    # token ids and mask, int64 (texts, tokens) -> pooled vectors, float32 (texts, dimensions)
    Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], Floats]

FLOAT_ONNX = 1  # onnx.TensorProto.FLOAT
FLOAT_BATCH = 32  # what sentence-transformers takes
BATCHES = (1, 8, 16, 32)  # what the other peers choose from
Encode = Callable[[Sequence[str]], "Floats"]


@dataclass(frozen=True, slots=True)
class Competitor:
    """One way to turn texts into vectors, float32 (texts, dimensions), each of length 1."""

    name: str
    encode: Encode
    note: str = ""


@dataclass(frozen=True)
class Batched:
    """A forward pass with texts sorted by length, `batch` of them at a time, padded to the longest."""

    name: str
    forward: Forward
    tokenizer: Tokenizer
    batch: int = FLOAT_BATCH

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts, float32 (texts, dimensions)."""
        ids = self.tokenizer.encode(texts)
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        parts = [
            self.forward(*padded([ids[row] for row in order[first : first + self.batch]]))
            for first in range(0, len(order), self.batch)
        ]
        vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(parts)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def competitor(self) -> Competitor:
        """This way, with the size of its batches shown."""
        return Competitor(self.name, self.encode, f"batches of {self.batch}")


def padded(ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids filled up with zeros to the longest, and 1 where a token is, both int64 (texts, tokens)."""
    filled = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(filled)
    for row, tokens in enumerate(ids):
        filled[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return filled, mask


class Pooled(torch.nn.Module):
    """An encoder and its pooling in one module, as engines like to have it."""

    def __init__(self, module: torch.nn.Module, pooling: str) -> None:
        super().__init__()
        self.module, self.pooling = module, pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Pooled vectors, float32 (texts, dimensions)."""
        hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        return pool(hidden, mask, self.pooling).float()


def torch_forward(module: torch.nn.Module) -> Forward:
    """A pooled module as a function of arrays."""

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Floats:
        with torch.inference_mode():
            vectors: Floats = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        return vectors

    return forward


# torch


def sentence_transformers_float32(weights: FloatModel, config: EncoderConfig, tokenizer: Tokenizer) -> Competitor:
    """sentence-transformers as its users run it; where it is not installed, the same model and batches by hand."""
    if find_spec("sentence_transformers") is None:
        stand_in = Batched(
            "transformers float32", torch_forward(Pooled(distilbert_model(weights), config.pooling)), tokenizer
        )
        return replace(
            stand_in.competitor(), note="in place of sentence-transformers, which is not installed; same batches"
        )
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(weights.folder), device="cpu", local_files_only=True)

    def encode(texts: Sequence[str]) -> Floats:
        vectors: Floats = model.encode(list(texts), batch_size=FLOAT_BATCH, normalize_embeddings=True)
        return vectors

    return Competitor("sentence-transformers float32", encode, f"batches of {FLOAT_BATCH}, its default")


def bfloat16(weights: FloatModel, config: EncoderConfig) -> Forward:
    """The float model with weights and arithmetic in bfloat16."""
    return torch_forward(Pooled(distilbert_model(weights).bfloat16(), config.pooling))


def dynamic(engine: str) -> Callable[[FloatModel, EncoderConfig], Forward]:
    """The recipe of the literature: torch's dynamic quantization of the Linear layers, with one of its engines."""

    def make(weights: FloatModel, config: EncoderConfig) -> Forward:
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = engine  # decides how weights are packed, and with it who multiplies
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch calls the function deprecated; here it is the thing to beat
                module = torch.ao.quantization.quantize_dynamic(
                    distilbert_model(weights), {torch.nn.Linear}, dtype=torch.qint8
                )
        finally:
            torch.backends.quantized.engine = before
        return torch_forward(Pooled(module, config.pooling))

    return make


# ONNX Runtime and OpenVINO


def export_onnx(weights: FloatModel, config: EncoderConfig, path: Path) -> None:
    """Writes the float model as an ONNX graph whose texts and tokens may be any number."""
    module = Pooled(distilbert_model(weights), config.pooling).eval()
    module.module.set_attn_implementation("eager")  # plain products, which the engines know how to fuse
    ids = torch.randint(1, config.vocabulary, (3, 24))
    mask = torch.ones_like(ids)
    mask[1, 20:] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (ids, mask),
            str(path),
            input_names=["ids", "mask"],
            output_names=["vectors"],
            dynamic_axes={"ids": {0: "texts", 1: "tokens"}, "mask": {0: "texts", 1: "tokens"}, "vectors": {0: "texts"}},
            opset_version=17,
            dynamo=False,
        )


def onnxruntime_forward(path: Path) -> Forward:
    """An ONNX graph run by ONNX Runtime with all its optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.force_spinning_stop", "1")  # else it disturbs who runs after it
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Floats:
        vectors: Floats = session.run(None, {"ids": ids, "mask": mask})[0]
        return vectors

    return forward


def onnxruntime_int8(weights: FloatModel, config: EncoderConfig) -> Forward:
    """ONNX Runtime with its transformer fusions and its dynamic quantization: int8 weights per channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        exported, fused, quantized = (Path(folder) / f"{name}.onnx" for name in ("exported", "fused", "quantized"))
        export_onnx(weights, config, exported)
        optimize_model(str(exported), "bert", config.heads, config.dimensions).save_model_to_file(str(fused))
        quantize_dynamic(
            fused,
            quantized,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": FLOAT_ONNX},  # the fused operators tell nothing of their types
        )
        return onnxruntime_forward(quantized)


def openvino_forward(*, int8: bool) -> Callable[[FloatModel, EncoderConfig], Forward]:
    """OpenVINO with its own choice of arithmetic; with `int8` the weights of its products are int8 codes."""

    def make(weights: FloatModel, config: EncoderConfig) -> Forward:
        import openvino

        core = openvino.Core()
        with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
            export_onnx(weights, config, Path(folder) / "exported.onnx")
            model = core.read_model(Path(folder) / "exported.onnx")
            if int8:
                compress_openvino(model)
            compiled = core.compile_model(
                model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
            )
        request = compiled.create_infer_request()

        def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Floats:
            request.infer([ids, mask], share_inputs=True)
            return np.array(request.get_output_tensor(0).data)

        return forward

    return make


def compress_openvino(model: Any) -> None:
    """Puts int8 codes with a scale a channel in the place of the constants that are multiplied with activations."""
    from openvino import opset13 as op

    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        constant = node.input_value(1).get_node()
        if constant.get_type_name() != "Constant":
            continue
        weight = constant.data.astype(np.float32)
        axis = 1 if node.get_attributes()["transpose_b"] else 0
        scale = np.maximum(np.abs(weight).max(axis=axis, keepdims=True) / 127, 1e-12).astype(np.float32)
        codes = op.convert(op.constant(np.rint(weight / scale).astype(np.int8)), "f32")
        node.input(1).replace_source_output(op.multiply(codes, op.constant(scale)).output(0))


@dataclass(frozen=True, slots=True)
class Peer:
    """A competitor that can be made of float weights, and the packages it needs beside torch."""

    name: str
    packages: tuple[str, ...]
    make: Callable[[FloatModel, EncoderConfig], Forward]

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]


PEERS = (
    Peer("torch bfloat16", (), bfloat16),
    Peer("quantize_dynamic x86", (), dynamic("x86")),
    Peer("quantize_dynamic onednn", (), dynamic("onednn")),
    Peer("ONNX Runtime int8", ("onnx", "onnxruntime"), onnxruntime_int8),
    Peer("OpenVINO", ("onnx", "openvino"), openvino_forward(int8=False)),
    Peer("OpenVINO int8 weights", ("onnx", "openvino"), openvino_forward(int8=True)),
)
