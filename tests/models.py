"""Small float models that tests make at random: the loading code meets real files of transformers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

if TYPE_CHECKING:
    from pathlib import Path

    from rag.tokenizer import Tokenizer

BERT_SIZES: dict[str, Any] = {
    "vocab_size": 240,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 300,
}
DISTILBERT_SIZES: dict[str, Any] = {
    "vocab_size": 240,
    "dim": 48,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 96,
    "max_position_embeddings": 300,
}


def save_bert(folder: Path, tokenizer: Tokenizer, **changes: Any) -> BertModel:
    """A BERT with random weights, saved as transformers does, with a tokenizer."""
    return save(BertModel(BertConfig(**(BERT_SIZES | changes))), folder, tokenizer)


def save_distilbert(folder: Path, tokenizer: Tokenizer, **changes: Any) -> DistilBertModel:
    """A DistilBERT with random weights, saved as transformers does, with a tokenizer."""
    return save(DistilBertModel(DistilBertConfig(**(DISTILBERT_SIZES | changes))), folder, tokenizer)


def save(model: Any, folder: Path, tokenizer: Tokenizer) -> Any:
    """Writes a model with weights large enough for attention to be uneven and biases that are not zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.eval().save_pretrained(folder)
    tokenizer.library.save(str(folder / "tokenizer.json"))
    return model


def write_sentence_config(
    folder: Path, *, modules: list[str], pooling: str, prompts: dict[str, str], limit: int
) -> None:
    """The files with which sentence-transformers says how a model is used."""
    modes = dict.fromkeys(("pooling_mode_mean_tokens", "pooling_mode_cls_token", "pooling_mode_max_tokens"), False)
    (folder / "1_Pooling").mkdir()
    files = {
        "modules.json": [{"type": f"sentence_transformers.models.{name}"} for name in modules],
        "1_Pooling/config.json": {"word_embedding_dimension": 48} | modes | {pooling: True},
        "config_sentence_transformers.json": {"prompts": prompts},
        "sentence_bert_config.json": {"max_seq_length": limit},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
