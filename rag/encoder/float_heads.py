"""The folder of a float cross-encoder or reader in; DistilBERT's tensors with those of the head, and what the head does, out.

What sentence-transformers writes into a model's configuration is read as data: the name of a function there is looked up in
a table, and nothing of a model repository is ever imported or run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.encoder.distilbert import (
    TRAINED_HEADS,
    read_object,
    tensors_and_config,
    token_limit,
)
from rag.encoder.families import SECOND_TYPE, as_distilbert
from rag.encoder.heads import READ, RERANK, HeadConfig
from sql.base.errors import ModelError

if TYPE_CHECKING:
    from rag.encoder.checkpoint import EncoderConfig
    from rag.encoder.distilbert import FloatTensors
    from rag.encoder.weights import FloatModel

ARCHITECTURES = {RERANK: "ForSequenceClassification", READ: "ForQuestionAnswering"}
NEEDED = {
    RERANK: "a reranker is an encoder that was trained for sequence classification with one label (a cross-encoder)",
    READ: "a reader is an encoder that was trained for question answering (start and end of an answer)",
}
# By the type of a model: what its linears are called, and what stands between them.
RERANK_LINEARS = {
    "bert": ("pooler.dense", "tanh", "classifier"),
    "distilbert": ("pre_classifier", "relu", "classifier"),
}
OTHER_RERANK_LINEARS = ("classifier.dense", "tanh", "classifier.out_proj")  # of RoBERTa's kin and of MPNet
READ_LINEAR = "qa_outputs"
SCORE_FUNCTIONS = {
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.activation.Tanh": "tanh",
}
DEFAULT_SCORE = "sigmoid"  # of a cross-encoder with one label that says nothing: what sentence-transformers takes


def headed_weights(model: FloatModel, task: str) -> tuple[FloatTensors, dict[str, Any], HeadConfig]:
    """As `distilbert_weights`, of a model whose head does a task; its tensors have the names of a checkpoint.

    They are float32 `head.output.weight` (outputs, dimensions) with its bias and, for a cross-encoder, `head.dense.weight`
    (dimensions, dimensions) with its. Raises ModelError for a model of another kind, which it names.
    """
    read, config = tensors_and_config(model)
    kind = str(config.get("model_type"))
    refuse_other_kinds(model, config, read, task)
    if task == READ:
        head, linears = HeadConfig(READ), {"output": READ_LINEAR}
    else:
        dense, activation, output = RERANK_LINEARS.get(kind, OTHER_RERANK_LINEARS)
        head = HeadConfig(RERANK, activation, score_function(model, config))
        linears = {"dense": dense, "output": output}
    tensors, arranged = as_distilbert(read, config, model.name)
    tensors, wide = dict(tensors), arranged["dim"]
    for part, name in linears.items():
        shape = (wide if part == "dense" else head.outputs, wide)
        tensors[f"head.{part}.weight"] = head_tensor(model, read, f"{name}.weight", shape, task)
        tensors[f"head.{part}.bias"] = head_tensor(model, read, f"{name}.bias", shape[:1], task)
    return tensors, arranged, head


def refuse_other_kinds(model: FloatModel, config: dict[str, Any], tensors: FloatTensors, task: str) -> None:
    """Raises ModelError for a model that was not trained for a task, with what it is."""
    architectures = config.get("architectures") or []
    named = [str(name) for name in (architectures if isinstance(architectures, list) else [architectures])]
    if named and not any(name.endswith(ARCHITECTURES[task]) for name in named):
        kinds = [kind for end, kind in TRAINED_HEADS.items() if named[0].endswith(end)]
        kind = kinds[0] if kinds else "it has no such head"
        raise ModelError(f"{model.name} is a {named[0]:.60}: {kind}; {NEEDED[task]}")
    for name in ("classifier.weight", "classifier.out_proj.weight"):
        if task == RERANK and name in tensors and (labels := len(tensors[name])) != 1:
            raise ModelError(f"{model.name} gives {labels} labels to a text or a pair; {NEEDED[task]}")


def head_tensor(
    model: FloatModel, tensors: FloatTensors, name: str, shape: tuple[int, ...], task: str
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tensor of the head; ModelError where it is missing, of another shape or not finite."""
    tensor = tensors.get(name)
    if tensor is None:
        raise ModelError(f"{model.name} lacks the weights {name}; {NEEDED[task]}")
    if tensor.shape != shape:
        raise ModelError(
            f"{model.name}: the weights {name} have the shape {tensor.shape} and not {shape}; {NEEDED[task]}"
        )
    if not np.isfinite(tensor).all():
        raise ModelError(f"{model.name}: the weights {name} hold numbers that are not finite")
    return tensor


def score_function(model: FloatModel, config: dict[str, Any]) -> str:
    """What makes a score of a cross-encoder's output, as sentence-transformers has written it down in any version.

    Raises ModelError for a function that is not in SCORE_FUNCTIONS.
    """
    own = read_object(model.folder / "config_sentence_transformers.json", default={})
    section = config.get("sentence_transformers")
    given = (
        (section.get("activation_fn") if isinstance(section, dict) else None)
        or config.get("sbert_ce_default_activation_function")
        or own.get("activation_fn")
    )
    if given is None:
        return DEFAULT_SCORE
    if str(given) not in SCORE_FUNCTIONS:
        known = ", ".join(name.rpartition(".")[2] for name in SCORE_FUNCTIONS)
        raise ModelError(f"{model.name} makes scores by {given!s:.80}: only {known} can be used")
    return SCORE_FUNCTIONS[str(given)]


def headed_config(model: FloatModel, encoder: EncoderConfig, tensors: FloatTensors, head: HeadConfig) -> EncoderConfig:
    """The config of an encoder with its head.

    Pairs are as long as the model's files say, or else as its positions allow: it was trained for pairs of that length.
    """
    if encoder.query_prompt or encoder.document_prompt:
        raise ModelError(f"{model.name} wants a prompt before its texts, and pairs have none: it cannot be used")
    limit = token_limit(model)
    if limit is None:
        stated = read_object(model.folder / "tokenizer_config.json", default={}).get("model_max_length")
        limit = stated if type(stated) is int and 0 < stated <= encoder.positions else encoder.positions
    return replace(
        encoder,
        head=head,
        pooling=head.pooling,
        normalized=False,
        token_types=2 if SECOND_TYPE in tensors else 1,
        max_tokens=min(limit, encoder.positions),
    )
