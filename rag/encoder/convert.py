"""Float weights of an encoder in, perhaps with a head, an int8 checkpoint out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.checkpoint import Checkpoint, EncoderConfig
from rag.encoder.distilbert import (
    check_tensors,
    checked_tokenizer,
    compared,
    distilbert_weights,
    encoder_config,
    tokenizer_content,
)
from rag.encoder.families import DISTANCE_BIAS, SECOND_TYPE
from rag.encoder.float_heads import headed_config, headed_weights
from rag.encoder.smoothing import ActivationRanges, input_scales, smooth_layer_norms, widest
from rag.int8.quantization import RANGES, quantize_channels, quantize_tensor, scheme_of_bits
from sql.base.errors import InvalidVector, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from rag.encoder.distilbert import FloatTensors
    from rag.encoder.heads import HeadConfig
    from rag.encoder.weights import FloatModel
    from rag.int8.quantization import Scheme
    from rag.text.tokenizer import Tokenizer

    Texts = Sequence[str] | Sequence[tuple[str, str]]  # pairs of a question and a passage for a model with a head

CALIBRATION_TEXTS, CALIBRATION_TOKENS = 16, 128
QUESTION_TOKENS = 8, 40  # of the first text of a random pair, at least and below
WEIGHT_GRANULARITIES, WEIGHT_BITS = ("per-channel", "per-tensor"), (8, 4)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an encoder becomes integers. Embedding rows are 8 bit with one scale a row in all of them.

    `weights` is the granularity of a linear layer's weights, `bits` their width (symmetric codes -127..127 or -7..7), and
    `ranges` how their scales are chosen.

    >>> Recipe(bits=4).description
    '4-bit weights per channel, calibrated 8-bit activations'
    """

    weights: str = "per-channel"
    bits: int = 8
    ranges: str = "minmax"

    def __post_init__(self) -> None:
        if self.weights not in WEIGHT_GRANULARITIES:
            raise ModelError(f"weights {self.weights}: one of {', '.join(WEIGHT_GRANULARITIES)} is needed")
        if self.bits not in WEIGHT_BITS:
            raise ModelError(f"weights of {self.bits} bits: only {' or '.join(map(str, WEIGHT_BITS))} can be stored")
        if self.ranges not in RANGES:
            raise ModelError(f"ranges {self.ranges}: one of {', '.join(RANGES)} is needed")

    @property
    def scheme(self) -> Scheme:
        """The codes of a linear layer's weights."""
        return scheme_of_bits(self.bits, symmetric=True)

    @property
    def description(self) -> str:
        """What a checkpoint, and every store made with it, remembers of this."""
        width = "int8 weights" if self.bits == 8 else f"{self.bits}-bit weights"
        ranges = "" if self.ranges == "minmax" else f" by {self.ranges}"
        return f"{width} {self.weights.replace('-', ' ')}{ranges}, calibrated 8-bit activations"


@dataclass(frozen=True, slots=True)
class SmoothedEncoder:
    """A float encoder made ready for 8-bit activations, and all that its codes will need.

    `tensors` are float32 under a checkpoint's names, `*.weight` where it has codes and a scale. `extras` are the tensors
    that no recipe changes: the factors of the residuals, and the steps of the activations.
    """

    config: EncoderConfig
    tokenizer: bytes
    tensors: FloatTensors
    extras: FloatTensors


def quantize_model(
    model: FloatModel, recipe: Recipe | None = None, texts: Texts = (), task: str | None = None
) -> tuple[Checkpoint, bytes]:
    """The integer checkpoint of a float model, and its tokenizer.json; with a `task`, of one whose head does that.

    Linear weights become integers by the recipe, embedding rows int8 per row, all symmetric; biases and layer norms
    stay float32. Before that the outputs of the layer norms are smoothed. The ranges of the activations are those of
    `texts`, or without any of random tokens. Raises ModelError for another architecture, missing or non-finite weights.
    """
    smoothed = smooth_model(model, texts, task)
    return quantize_smoothed(smoothed, recipe or Recipe()), smoothed.tokenizer


def smooth_model(model: FloatModel, texts: Texts = (), task: str | None = None) -> SmoothedEncoder:
    """The same encoder with layer norms whose channels are alike, and the steps of its activations.

    With a `task`, of RERANK or READ, it has the head that does it, and its texts are pairs. Raises ModelError for another
    architecture, missing or non-finite weights.
    """
    if task is None:
        return smooth_tensors(model, *distilbert_weights(model), texts=texts)
    return smooth_tensors(model, *headed_weights(model, task), texts=texts)


def smooth_tensors(
    model: FloatModel,
    tensors: FloatTensors,
    config: dict[str, Any],
    head: HeadConfig | None = None,
    texts: Texts = (),
) -> SmoothedEncoder:
    """`smooth_model` of tensors that have been read, or whose head has just been made up; raises ModelError as that does."""
    tokenizer = tokenizer_content(model)
    encoder = encoder_config(model, config, sha256(tokenizer).hexdigest())
    if head is not None:
        encoder = headed_config(model, encoder, tensors, head)
    check_tensors(tensors, encoder)
    reader = checked_tokenizer(tokenizer, encoder)
    ranges = activation_ranges(tensors, config, reader, texts, paired=head is not None)
    smoothed, factors = smooth_layer_norms(tensors, ranges.norms)
    encoder = compared(encoder, model, reader)
    extras = {f"{name}.residual": factor for name, factor in factors.items()} | input_scales(ranges, factors)
    if DISTANCE_BIAS in tensors:
        extras["distance_bias"] = np.ascontiguousarray(tensors[DISTANCE_BIAS])
    return SmoothedEncoder(
        encoder, tokenizer, arrange_tensors(smoothed, encoder.layers), extras | head_extras(tensors, encoder)
    )


def head_extras(tensors: FloatTensors, config: EncoderConfig) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint that only a model with a head has: its dense linear as codes, the rest as they are."""
    extras: dict[str, NDArray[Any]] = {}
    if config.head is None:
        return extras
    if config.token_types > 1:
        extras[SECOND_TYPE] = tensors[SECOND_TYPE]
    for name in ("head.dense", "head.output"):
        if f"{name}.weight" not in tensors:
            continue
        extras[f"{name}.bias"] = np.ascontiguousarray(tensors[f"{name}.bias"])
        if name == "head.dense":
            extras[f"{name}.codes"], extras[f"{name}.scale"] = quantize_weight(tensors[f"{name}.weight"], Recipe())
        else:
            extras[f"{name}.weight"] = np.ascontiguousarray(tensors[f"{name}.weight"])
    return extras


def quantize_smoothed(smoothed: SmoothedEncoder, recipe: Recipe) -> Checkpoint:
    """The checkpoint of an encoder by a recipe."""
    config = replace(smoothed.config, weights=recipe.description, linear_bits=recipe.bits)
    return Checkpoint(config, quantize_arranged(smoothed.tensors, config, recipe) | smoothed.extras)


def activation_ranges(
    tensors: FloatTensors, config: dict[str, Any], tokenizer: Tokenizer, texts: Texts = (), *, paired: bool = False
) -> ActivationRanges:
    """What the layer norms and the attention of a float model give for texts, or without any for random tokens.

    Which channels are large is a property of the model and not of the text: random tokens between the special ones
    show it, and reach further than real text does, so that hardly anything saturates; nobody has to have any data.
    `paired` texts are pairs, and a random text is divided in two.
    """
    from rag.encoder.kernel_float import distilbert_module, observe_activations

    module, second_type = distilbert_module(tensors, config), tensors.get(SECOND_TYPE)
    if texts:
        ranges = widest(
            [
                observe_activations(module, ids, types, second_type)
                for ids, types in calibration_batches(texts, tokenizer)
            ]
        )
    else:
        ids = random_texts(config["vocab_size"], tokenizer)
        types = divide_texts(ids) if paired else np.zeros_like(ids)
        ranges = observe_activations(module, ids, types, second_type)
    bounds: list[ArrayLike] = [*chain(*ranges.norms), ranges.attention]
    if not all(np.isfinite(bound).all() for bound in bounds):
        raise ModelError("the model's weights are so large that it computes numbers that are not finite")
    return ranges


def random_texts(vocabulary: int, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Token ids (texts, tokens) drawn at random between the special tokens."""
    special = tokenizer.encode([""])[0] or [0]
    length = min(CALIBRATION_TOKENS, tokenizer.max_tokens)
    ids = np.random.default_rng(0).integers(0, vocabulary, (CALIBRATION_TEXTS, length), dtype=np.int64)
    ids[:, 0], ids[:, -1] = special[0], special[-1]
    return ids


def divide_texts(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Makes pairs of random texts, in place: the last token, which ends a text, also ends the first part of each.

    Returns the types of the tokens, int64 (texts, tokens): 0 up to that token, 1 behind it.
    """
    low, high = (min(tokens, ids.shape[1] // 2) for tokens in QUESTION_TOKENS)
    ends = np.random.default_rng(1).integers(low, max(high, low + 1), len(ids))
    ids[np.arange(len(ids)), ends] = ids[:, -1]
    return (np.arange(ids.shape[1]) > ends[:, None]).astype(np.int64)


def calibration_batches(texts: Texts, tokenizer: Tokenizer) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The token ids and types of texts or pairs, one at a time, so that no padding is observed; what is too long is cut."""
    for text in texts:
        if isinstance(text, str):
            ids = tokenizer.encode([text])[0][: tokenizer.max_tokens]
            types = [0] * len(ids)
        else:
            pair = tokenizer.pairs(text[0], [text[1]])[0][0]
            ids, types = pair.ids, pair.types
        yield np.array([ids], dtype=np.int64), np.array([types], dtype=np.int64)


def quantize_tensors(
    tensors: FloatTensors, config: EncoderConfig, recipe: Recipe | None = None
) -> dict[str, NDArray[Any]]:
    """DistilBERT's float tensors as the tensors of a checkpoint."""
    return quantize_arranged(arrange_tensors(tensors, config.layers), config, recipe or Recipe())


def arrange_tensors(tensors: FloatTensors, layers: int) -> FloatTensors:
    """DistilBERT's tensors under a checkpoint's names; query, key and value as one linear: one product, not three."""
    linears = {
        "qkv": ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
        "attention": ["attention.out_lin"],
        "up": ["ffn.lin1"],
        "down": ["ffn.lin2"],
        "attention_norm": ["sa_layer_norm"],
        "output_norm": ["output_layer_norm"],
    }
    arranged = {
        f"embeddings.{kind}.weight": tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position")
    }
    for part in ("weight", "bias"):
        arranged[f"embeddings.norm.{part}"] = tensors[f"embeddings.LayerNorm.{part}"]
        for layer in range(layers):
            for name, parts in linears.items():
                together = [tensors[f"transformer.layer.{layer}.{one}.{part}"] for one in parts]
                arranged[f"layer.{layer}.{name}.{part}"] = np.concatenate(together)
    return arranged


def quantize_arranged(arranged: FloatTensors, config: EncoderConfig, recipe: Recipe) -> dict[str, NDArray[Any]]:
    """Float tensors under a checkpoint's names with codes and scales where they have two axes."""
    quantized: dict[str, NDArray[Any]] = {}
    for name, tensor in arranged.items():
        if tensor.ndim == 1:
            quantized[name] = np.ascontiguousarray(tensor)
            continue
        base = name.removesuffix(".weight")
        kind = Recipe() if base.startswith("embeddings.") else recipe
        try:
            quantized[f"{base}.codes"], quantized[f"{base}.scale"] = quantize_weight(tensor, kind)
        except InvalidVector as error:
            raise ModelError(f"{config.model}: the weights of {base} cannot be quantized: {error}") from error
    return quantized


def quantize_weight(weight: NDArray[np.float32], recipe: Recipe) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A weight (out, in) as int8 codes of its shape and one scale an output channel (out,); per tensor all are equal."""
    if recipe.weights == "per-tensor":
        codes, scale = quantize_tensor(weight, recipe.scheme, recipe.ranges)
        return codes, np.full(len(weight), scale, dtype=np.float32)
    return quantize_channels(weight, recipe.scheme, recipe.ranges)
