"""The tensors and the config of an encoder of any family in, DistilBERT's out, and nothing is rounded.

A text is one segment, so the row of token type 0 is added to every position's embedding; the pooler is dropped and the
layers are renamed. What the row of token type 1 differs by is kept: a model that reads pairs adds it to the tokens of the
second text. RoBERTa and MPNet count positions from the one behind the padding's: the rows before it, which no token
of a text has, are dropped. What DistilBERT does not have is MPNet's bias of attention by distance, which is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.base.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatTensors = dict[str, NDArray[np.float32]]

POSITIONS, TYPES = "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"
SECOND_TYPE = "embeddings.second_type"  # the row of token type 1 less that of type 0, under a checkpoint's name
DISTANCE_BIAS = "relative_attention_bias.weight"
DISTANCE_BUCKETS = 32  # transformers' MPNet computes with these, whatever its config says
# The first distance of each bucket; a key behind the query has the first half of the buckets, one before it the other.
# C. Raffel et al. 2020, arXiv:1910.10683, section 2.1, with 32 buckets up to a distance of 128.
BUCKET_STARTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)

Names = tuple[tuple[str, str], ...]


def layer_names(query: str, key: str, value: str, output: str, norm: str) -> Names:
    """Patterns of a family's names, whose attention has its own, and DistilBERT's names for them."""
    layer, renamed = r"^encoder\.layer\.(\d+)\.", r"transformer.layer.\1."
    parts = {
        f"attention.{query}": "attention.q_lin",
        f"attention.{key}": "attention.k_lin",
        f"attention.{value}": "attention.v_lin",
        f"attention.{output}": "attention.out_lin",
        f"attention.{norm}": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    return (
        (r"^embeddings\.(LayerNorm|word_embeddings|position_embeddings)\.", r"embeddings.\1."),
        *((f"{layer}{re.escape(theirs)}\\.", f"{renamed}{ours}.") for theirs, ours in parts.items()),
    )


BERT_NAMES = layer_names("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
MPNET_NAMES = (
    *layer_names("attn.q", "attn.k", "attn.v", "attn.o", "LayerNorm"),
    (r"^encoder\.relative_attention_bias\.", "relative_attention_bias."),
)


@dataclass(frozen=True, slots=True)
class Family:
    """How the tensors of a family become DistilBERT's.

    `first_position` is the row of the first token's position: a number, or `pad_token_id` where it is the one behind the
    padding's.
    """

    title: str
    names: Names
    first_position: int | str = 0
    distance_buckets: int = 0
    second_type: bool = False  # of the second of two texts; tokenizers of other families give both texts the first


FAMILIES = {
    "distilbert": Family("DistilBERT", ()),
    "bert": Family("BERT", BERT_NAMES, second_type=True),
    "roberta": Family("RoBERTa", BERT_NAMES, "pad_token_id"),
    "xlm-roberta": Family("XLM-RoBERTa", BERT_NAMES, "pad_token_id"),
    "camembert": Family("CamemBERT", BERT_NAMES, "pad_token_id"),
    # transformers' MPNet has the padding's position at 1, whatever its config says.
    "mpnet": Family("MPNet", MPNET_NAMES, 2, DISTANCE_BUCKETS),
}
DEFAULT_PAD_TOKEN = 1  # of RoBERTa and XLM-RoBERTa, where config.json says nothing


def family_of(config: dict[str, Any], name: str) -> Family:
    """The family of a model; ModelError for another one, and for one whose code is in its own repository."""
    kind = str(config.get("model_type"))
    if kind in FAMILIES:
        return FAMILIES[kind]
    titles = [family.title for family in FAMILIES.values()]
    known = f"{', '.join(titles[:-1])} and {titles[-1]}"
    if config.get("auto_map"):
        raise ModelError(
            f"{name} is a model of type {kind:.40} whose code is in its own repository (auto_map in config.json), and code "
            f"of a model's repository never runs: only encoders of {known} can be used, among them those of gte that are "
            "BERTs (thenlper/gte-small, gte-base and gte-large)"
        )
    raise ModelError(f"{name} is a model of type {kind:.40}: only encoders of {known} can be used")


def as_distilbert(tensors: FloatTensors, config: dict[str, Any], name: str) -> tuple[FloatTensors, dict[str, Any]]:
    """A family's tensors under DistilBERT's names, and its config in DistilBERT's words, with `distance_buckets`."""
    family = family_of(config, name)
    if not family.names:
        return tensors, distilbert_config(config, name)
    first = first_position(family, config, name)
    renamed = {new: tensor for old, tensor in tensors.items() if (new := new_name(old, family.names))}
    if POSITIONS in renamed:
        renamed[POSITIONS] = own_positions(renamed[POSITIONS], first, name)
        if TYPES in tensors:
            add_types(renamed, tensors[TYPES], second=family.second_type)
    return renamed, bert_config(config, name, first) | {"distance_buckets": family.distance_buckets}


def new_name(name: str, names: Names) -> str | None:
    """DistilBERT's name of a tensor; None for poolers, heads and what else is left out."""
    for pattern, replacement in names:
        renamed, count = re.subn(pattern, replacement, name)
        if count:
            return renamed
    return None


def first_position(family: Family, config: dict[str, Any], name: str) -> int:
    """The row of the first token's position."""
    if isinstance(family.first_position, int):
        return family.first_position
    padding = config.get(family.first_position, DEFAULT_PAD_TOKEN)
    if type(padding) is not int or padding < 0:
        raise ModelError(
            f"{name}: {family.first_position} is {padding!r:.40} in config.json, and a {family.title} counts its "
            "positions from there: it has to be a whole number"
        )
    return padding + 1


def own_positions(rows: NDArray[np.float32], first: int, name: str) -> NDArray[np.float32]:
    """The rows of positions that tokens have: those from the first token's on."""
    if not first:
        return rows
    if not rows.ndim or first >= len(rows):
        raise ModelError(f"{name} counts positions from {first} on and has {rows.shape} positions: no text has room")
    return rows[first:]


def add_types(tensors: FloatTensors, types: NDArray[np.float32], *, second: bool) -> None:
    """Adds the row of token type 0 to those of positions; with `second`, keeps what that of type 1 differs by."""
    positions = tensors[POSITIONS]
    if not len(types) or types.shape[1:] != positions.shape[1:]:
        raise ModelError(
            f"the weights {TYPES} have the shape {types.shape} and {POSITIONS} {positions.shape}: "
            "they do not belong together"
        )
    tensors[POSITIONS] = np.asarray(positions + types[0], dtype=np.float32)
    if second and len(types) > 1:
        tensors[SECOND_TYPE] = np.asarray(types[1] - types[0], dtype=np.float32)


def bert_config(config: dict[str, Any], name: str, first: int) -> dict[str, Any]:
    """A BERT's, RoBERTa's or MPNet's config in DistilBERT's words; refuses what cannot be expressed in them."""
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError(
            f"{name} has {config['position_embedding_type']!s:.40} positions: only absolute ones can be used"
        )
    positions = config.get("max_position_embeddings")
    return {
        "vocab_size": config.get("vocab_size"),
        "max_position_embeddings": positions - first if type(positions) is int else positions,
        "n_layers": config.get("num_hidden_layers"),
        "n_heads": config.get("num_attention_heads"),
        "dim": config.get("hidden_size"),
        "hidden_dim": config.get("intermediate_size"),
        "activation": checked_activation(config.get("hidden_act", "gelu"), name),
        "layer_norm_eps": config.get("layer_norm_eps", 1e-12),
    }


def distilbert_config(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The part of a DistilBERT's config that decides its outputs."""
    wanted = ("vocab_size", "max_position_embeddings", "n_layers", "n_heads", "dim", "hidden_dim")
    activation = checked_activation(config.get("activation", "gelu"), name)
    return {key: config.get(key) for key in wanted} | {
        "activation": activation,
        "layer_norm_eps": 1e-12,
        "distance_buckets": 0,
    }


def checked_activation(activation: Any, name: str) -> str:
    """The activation, which has to be the exact GELU."""
    if activation != "gelu":
        raise ModelError(f"{name} uses the activation {activation!s:.40}: only gelu can be used")
    return "gelu"


def distance_bias(table: NDArray[np.float32], tokens: int) -> NDArray[np.float32]:
    """What is added to the score of each query and key by their distance, (heads, tokens, tokens) of (buckets, heads)."""
    places = np.arange(tokens)
    distances = places[None, :] - places[:, None]  # of a key from its query
    buckets = np.searchsorted(BUCKET_STARTS, np.abs(distances), side="right") - 1
    buckets += (distances > 0) * (DISTANCE_BUCKETS // 2)
    return np.ascontiguousarray(table.T[:, buckets])
