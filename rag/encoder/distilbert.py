"""The folder of a float encoder in; DistilBERT's tensors, the encoder's config and tokenizer out.

Encoders of other families become DistilBERTs in `rag.encoder.families`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.checkpoint import POOLINGS, TOKENIZER_FILE, EncoderConfig
from rag.encoder.families import DISTANCE_BIAS, as_distilbert, family_of
from rag.encoder.weights import file_sha256
from rag.text.tokenizer import Tokenizer
from rag.text.tokenizer_check import compare_with_transformers, installed_version, transformers_tokenizer
from sql.base.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.weights import FloatModel

    FloatTensors = dict[str, NDArray[np.float32]]

DEFAULT_TEXT_TOKENS = 256  # that an encoder reads whose files say nothing of it
SENTENCE_MODULES = {"Transformer", "Pooling", "Normalize"}
# What sentence-transformers before 5.4 calls the modes of pooling, one key of true or false each; later the value is named.
POOLING_MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# Architectures whose outputs are hidden states. A masked language model is an encoder with a head that is left out; all
# published base models are saved as one.
ENCODER_ARCHITECTURES = re.compile(r"\w*(Model|ForMaskedLM|ForPreTraining)$")
TRAINED_HEADS = {
    "SequenceClassification": "it scores a text or a pair of texts (a classifier, or a cross-encoder: --rerank takes those)",
    "QuestionAnswering": "it marks answers in passages (a reader: --reader takes those)",
    "TokenClassification": "it labels tokens",
    "MultipleChoice": "it chooses between texts",
    "NextSentencePrediction": "it judges pairs of sentences",
    "CausalLM": "it writes texts (a language model: --llm takes those)",
    "LMHeadModel": "it writes texts (a language model: --llm takes those)",
}
HEAD_WEIGHTS = re.compile(r"^(classifier|qa_outputs|score)\.")  # of a config that names no architecture
POOLING_FILE = "1_Pooling/config.json"
UNLIMITED = 1 << 20  # transformers writes 10^30 where a tokenizer has no limit


def distilbert_weights(model: FloatModel) -> tuple[FloatTensors, dict[str, Any]]:
    """Float32 tensors under DistilBERT's names, and the config in the words of a `transformers.DistilBertConfig`."""
    tensors, config = tensors_and_config(model)
    refuse_head(model, config, tensors)
    return as_distilbert(tensors, config, model.name)


def tensors_and_config(model: FloatModel) -> tuple[FloatTensors, dict[str, Any]]:
    """Float32 tensors under the model's own names, without the prefix of a model with a head, and its own config."""
    config = read_object(model.folder / "config.json")
    family_of(config, model.name)  # before the weights are read, which takes long
    return read_tensors(model), config


def refuse_head(model: FloatModel, config: dict[str, Any], tensors: FloatTensors) -> None:
    """Raises ModelError for a model that was trained for its head: what it computes below is no embedding of a text.

    A folder whose modules pool and that holds no such weights is an encoder, whatever its config was copied from.
    """
    heads = sorted(name for name in tensors if HEAD_WEIGHTS.match(name))
    pools = "Pooling" in module_kinds(model)
    architectures = config.get("architectures") or []
    for name in architectures if isinstance(architectures, list) else [architectures]:
        kinds = [kind for head, kind in TRAINED_HEADS.items() if str(name).endswith(head)]
        if not kinds and ENCODER_ARCHITECTURES.match(str(name)):
            continue
        if heads or not pools:
            kind = kinds[0] if kinds else "it is not a text encoder"
            raise ModelError(f"{model.name} is a {name!s:.60}: {kind}; give a model that was trained for embeddings")
    if heads and not pools and not architectures:
        raise ModelError(
            f"{model.name} has the weights of a head ({heads[0]:.60}): it was trained to classify or to mark answers; "
            "give a model that was trained for embeddings"
        )


def read_tensors(model: FloatModel) -> FloatTensors:
    """All tensors of the weights file as float32, without the prefix of a model with a head."""
    from safetensors import SafetensorError, safe_open

    import rag.compute.torch_door  # noqa: F401 (before safetensors loads torch)

    try:
        # Through torch where a tensor is bfloat16, which NumPy does not know.
        with safe_open(model.weights, framework="pt") as file:
            read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{model.weights} cannot be read as safetensors: {error}") from error
    for name, tensor in read.items():
        if name.endswith((".weight", ".bias")) and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(f"{model.weights}: the weights {name} are {kind} and not floats: give the float model")
    return {
        re.sub(r"^(distilbert|bert|roberta|mpnet|model)\.", "", name): tensor.float().numpy()
        for name, tensor in read.items()
    }


def encoder_config(model: FloatModel, config: dict[str, Any], tokenizer_sha256: str) -> EncoderConfig:
    """The checkpoint's config: the architecture, and how sentence-transformers would use the model."""
    kinds = module_kinds(model)
    if unknown := set(kinds) - SENTENCE_MODULES:
        raise ModelError(f"{model.name} has the layers {sorted(unknown)}: only {sorted(SENTENCE_MODULES)} can be used")
    query_prompt, document_prompt = prompts_of(model)
    limit = token_limit(model)
    positions = config["max_position_embeddings"]
    return EncoderConfig(
        model=model.name,
        model_revision=model.revision,
        model_sha256=file_sha256(model.weights),
        tokenizer_sha256=tokenizer_sha256,
        layers=config["n_layers"],
        heads=config["n_heads"],
        dimensions=config["dim"],
        hidden_dimensions=config["hidden_dim"],
        vocabulary=config["vocab_size"],
        positions=positions,
        max_tokens=min(limit or DEFAULT_TEXT_TOKENS, positions) if isinstance(positions, int) else positions,
        layer_norm_eps=config["layer_norm_eps"],
        pooling=pooling_mode(model, prompted=bool(query_prompt or document_prompt)),
        # A plain transformers model says nothing of it; cosine similarity is what its users expect.
        normalized="Normalize" in kinds or not kinds,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        distance_buckets=config["distance_buckets"],
        pools_prompts=read_object(model.folder / POOLING_FILE, default={}).get("include_prompt") is not False,
    )


def module_kinds(model: FloatModel) -> list[str]:
    """The classes of the modules that sentence-transformers makes a model of; none where it is a plain one."""
    modules = read_json(model.folder / "modules.json", default=[])
    try:
        if not isinstance(modules, list):
            raise TypeError
        return [module["type"].rsplit(".", 1)[-1] for module in modules]
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{model.folder / 'modules.json'} is not a list of modules with their types") from error


def prompts_of(model: FloatModel) -> tuple[str, str]:
    """What sentence-transformers puts before questions and before documents: the prompt of that name, or the default."""
    config = read_object(model.folder / "config_sentence_transformers.json", default={})
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict):
        raise ModelError(f"{model.name}: the prompts in config_sentence_transformers.json are not a JSON object")
    default = prompts.get(str(config.get("default_prompt_name"))) or ""

    def prompt(*names: str) -> Any:
        given = [prompts[name] for name in names if name in prompts]
        return next(filter(None, given), "" if given else default)

    return prompt("query"), prompt("document", "passage", "corpus")


def token_limit(model: FloatModel) -> int | None:
    """The longest text in tokens, as the model's files say; None where they say nothing.

    sentence-transformers writes it as `max_seq_length` before version 5.4, and later leaves it to the tokenizer's config,
    where transformers has a number of 31 digits for no limit. A plain transformers model has that one too, but there it
    says what the positions allow and not what the model was trained for.
    """
    name, key = "sentence_bert_config.json", "max_seq_length"
    limit = read_object(model.folder / name, default={}).get(key)
    if limit is None and (model.folder / "modules.json").is_file():
        name, key = "tokenizer_config.json", "model_max_length"
        limit = read_object(model.folder / name, default={}).get(key)
        if isinstance(limit, int | float) and limit > UNLIMITED:
            return None
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ModelError(f"{model.name}: {key} is {limit!r:.40} in {name}, it has to be a whole number above 0")
    return limit


def pooling_mode(model: FloatModel, *, prompted: bool = False) -> str:
    """`mean` or `cls`, as the model's pooling config says, in the words of any version; mean where it says nothing.

    Raises ModelError for other modes, for several at once, and where the tokens of the model's prompts are to be left out.
    """
    config = read_object(model.folder / POOLING_FILE, default={"pooling_mode": "mean"})
    modes = [
        POOLING_MODES.get(key, key) for key, on in config.items() if key.startswith("pooling_mode_") and on is True
    ]
    if (named := config.get("pooling_mode")) is not None:
        modes = list(named) if isinstance(named, list) else [named]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModelError(f"{model.name} pools by {modes!s:.80}: only one of {', '.join(POOLINGS)} can be used")
    if config.get("include_prompt") is False and prompted:
        raise ModelError(
            f"{model.name} leaves its prompt out of the mean over tokens (include_prompt): it cannot be used"
        )
    return str(modes[0])


def check_tensors(tensors: FloatTensors, config: EncoderConfig) -> None:
    """Raises ModelError where a weight of the architecture is missing, of another shape or not finite."""
    for name, shape in float_shapes(config).items():
        if name not in tensors:
            raise ModelError(f"{config.model} lacks the weights {name}: it is not a complete encoder")
        if tensors[name].shape != shape:
            raise ModelError(
                f"{config.model}: the weights {name} have the shape {tensors[name].shape}, config.json wants {shape}"
            )
        if not np.isfinite(tensors[name]).all():
            raise ModelError(f"{config.model}: the weights {name} hold numbers that are not finite")
    if any(name.startswith(f"transformer.layer.{config.layers}.") for name in tensors):
        raise ModelError(f"{config.model} has weights of more than the {config.layers} layers that config.json names")


def float_shapes(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Every weight of a float encoder of this architecture under DistilBERT's name, with its shape."""
    wide, deep = config.dimensions, config.hidden_dimensions
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocabulary, wide),
        "embeddings.position_embeddings.weight": (config.positions, wide),
    }
    if config.distance_buckets:
        shapes[DISTANCE_BIAS] = (config.distance_buckets, config.heads)
    for _, norm, users, receiver in layer_norms(config.layers):
        shapes |= {f"{norm}.weight": (wide,), f"{norm}.bias": (wide,)}
        for linear in filter(None, (*users, receiver)):
            height, width = {"lin1": (deep, wide), "lin2": (wide, deep)}.get(linear.rsplit(".", 1)[-1], (wide, wide))
            shapes |= {f"{linear}.weight": (height, width), f"{linear}.bias": (height,)}
    return shapes


def layer_norms(layers: int) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Every layer norm: its name in a checkpoint, its name in DistilBERT, the linears that read its output, and the one
    whose output is added to it; the last has neither.
    """
    norms = []
    for layer in range(layers):
        of = f"transformer.layer.{layer}"
        attention = tuple(f"{of}.attention.{part}_lin" for part in "qkv")
        above = ("embeddings.norm", "embeddings.LayerNorm") if layer == 0 else output_norm(layer - 1)
        norms.append((*above, attention, f"{of}.attention.out_lin"))
        norms.append((f"layer.{layer}.attention_norm", f"{of}.sa_layer_norm", (f"{of}.ffn.lin1",), f"{of}.ffn.lin2"))
    return [*norms, (*output_norm(layers - 1), (), "")]


def output_norm(layer: int) -> tuple[str, str]:
    """The names of the layer norm at the end of a layer."""
    return f"layer.{layer}.output_norm", f"transformer.layer.{layer}.output_layer_norm"


def model_tokenizer(model: FloatModel) -> Tokenizer:
    """The tokenizer of a float model, which knows how much the encoder reads."""
    _, config = distilbert_weights(model)
    content = tokenizer_content(model)
    encoder = encoder_config(model, config, sha256(content).hexdigest())
    return checked_tokenizer(content, encoder)


def tokenizer_content(model: FloatModel) -> bytes:
    """The model's tokenizer.json; made by transformers where the model has an older kind of vocabulary only."""
    path = model.folder / TOKENIZER_FILE
    if path.is_file():
        return path.read_bytes()
    try:
        return bytes(transformers_tokenizer(model.folder).backend_tokenizer.to_str().encode())
    except (ModelError, AttributeError) as error:
        raise ModelError(f"{model.folder} holds no tokenizer.json and no vocabulary to make one of: {error}") from error


def checked_tokenizer(content: bytes, config: EncoderConfig) -> Tokenizer:
    """The tokenizer in the content of a `tokenizer.json`.

    Raises ModelError where it is none, has no tokens or tokens without an embedding, or where the model's prompts leave
    no room for any text.
    """
    try:
        tokenizer = Tokenizer.from_bytes(content, config.max_tokens)
    except ModelError as error:
        raise ModelError(f"the tokenizer.json of {config.model} cannot be used: {error}") from error
    tokens = tokenizer.library.get_vocab(True).values()
    if not 0 <= max(tokens, default=-1) < config.vocabulary:
        raise ModelError(
            f"{config.model}: the tokenizer's tokens go up to {max(tokens, default='nothing')}, and the model has rows for "
            f"0 to {config.vocabulary - 1}: they do not belong together"
        )
    for prompt in (config.query_prompt, config.document_prompt):
        if tokenizer.count(prompt) >= tokenizer.max_text_tokens:
            raise ModelError(
                f"{config.model} reads {config.max_tokens} tokens, and its special tokens and the prompt {prompt[:40]!r} "
                "take all of them"
            )
    return tokenizer


def compared(config: EncoderConfig, model: FloatModel, tokenizer: Tokenizer) -> EncoderConfig:
    """The config with what the tokenizer was made of, and whether transformers gives the same tokens."""
    if not (model.folder / TOKENIZER_FILE).is_file():
        return replace(
            config,
            tokenizer_source="the vocabulary, by transformers",
            tokenizer_agrees=True,
            tokenizer_note=f"made by transformers {installed_version()}, which is no other tokenizer",
        )
    found = compare_with_transformers(model.folder, tokenizer)
    return replace(config, tokenizer_agrees=found.agrees, tokenizer_note=found.note)


def read_object(path: Path, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON file of a model that holds an object; as `read_json` else."""
    content = read_json(path, default)
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object")
    return content


def read_json(path: Path, default: Any = None) -> Any:
    """A JSON file of a model; `default` where it is missing, ModelError where it is broken or has to be there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if default is None:
            raise ModelError(f"{path} is missing: the folder does not hold a complete model") from error
        return default
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
