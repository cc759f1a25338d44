"""Small float models that tests make at random: the loading code meets real files of transformers."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    CamembertConfig,
    CamembertModel,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MPNetConfig,
    MPNetForQuestionAnswering,
    MPNetForSequenceClassification,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForQuestionAnswering,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

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


HEADED = {
    ("bert", "rerank"): (BertForSequenceClassification, BertConfig, BERT_SIZES | {"num_labels": 1}),
    ("bert", "read"): (BertForQuestionAnswering, BertConfig, BERT_SIZES),
    ("distilbert", "rerank"): (
        DistilBertForSequenceClassification,
        DistilBertConfig,
        DISTILBERT_SIZES | {"num_labels": 1},
    ),
    ("distilbert", "read"): (DistilBertForQuestionAnswering, DistilBertConfig, DISTILBERT_SIZES),
}


def save_headed(kind: str, task: str, folder: Path, tokenizer: Tokenizer, **changes: Any) -> Any:
    """A BERT or DistilBERT with random weights and a head that reranks or reads, saved as transformers does."""
    model, config, sizes = HEADED[kind, task]
    return save(model(config(**(sizes | changes))), folder, tokenizer)


def save(model: Any, folder: Path, tokenizer: Tokenizer) -> Any:
    """Writes a model with weights large enough for attention to be uneven and biases that are not zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.eval().save_pretrained(folder)
    tokenizer.library.save(str(folder / "tokenizer.json"))
    return model


def unigram_tokenizer(max_tokens: int) -> Tokenizer:
    """A small tokenizer of the kind of XLM-RoBERTa's: Unigram over words that begin with a mark of their own."""
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers import models, normalizers, pre_tokenizers, processors

    from rag.text.tokenizer import Tokenizer

    pieces = {"▁cats": 1.0, "cats": 1.5, "dogs": 1.5, "▁cat": 2.0, "cat": 2.5, "▁": 3.0}
    scores = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -cost) for piece, cost in pieces.items())]
    letters = [(letter, -6.0) for letter in "abcdefghijklmnopqrstuvwxyzü,.:صلىاللهعليهوسلم"]
    library = LibraryTokenizer(models.Unigram(scores + list(dict.fromkeys(letters)), unk_id=2))
    library.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\n", " ")])
    library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return Tokenizer(library, max_tokens)


# Encoders of other families, with the kinds of tokenizers that are theirs

FAMILY_TEXT = [
    "The cat sat on the mat. Dogs run here, and one of the two cats was asleep in the sun.",
    "Der Hund läuft über die Straße; die Katze schläft. Zwei Hunde bellen.",
    "Le chat dort près de la fenêtre, où il fait chaud.",
    "日本語の文章です。 猫は眠っています。 Кошка спит на окне.",
    "def add(a_b, *args): return a_b[0] + 3.14159  # 100 %",
]
FAMILY_TOKENS = 400


def metaspace_tokenizer(max_tokens: int = 64) -> Tokenizer:
    """Unigram behind Metaspace with XLM-RoBERTa's special tokens and template."""
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    from rag.text.tokenizer import Tokenizer

    library = LibraryTokenizer(models.Unigram())
    library.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\n", " ")])
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=FAMILY_TOKENS,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",  # noqa: S106
        show_progress=False,
    )
    library.train_from_iterator(FAMILY_TEXT * 4, trainer)
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return Tokenizer(library, max_tokens)


def byte_tokenizer(max_tokens: int = 64) -> Tokenizer:
    """Byte-level BPE with RoBERTa's special tokens and template."""
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    from rag.text.tokenizer import Tokenizer

    library = LibraryTokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=FAMILY_TOKENS,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(FAMILY_TEXT, trainer)
    library.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return Tokenizer(library, max_tokens)


def mpnet_tokenizer(max_tokens: int = 64) -> Tokenizer:
    """WordPiece as BERT's with MPNet's special tokens and template."""
    from tokenizers import Tokenizer as LibraryTokenizer
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    from rag.text.tokenizer import Tokenizer

    library = LibraryTokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=FAMILY_TOKENS, special_tokens=["<s>", "<pad>", "</s>", "[UNK]"], show_progress=False
    )
    library.train_from_iterator(FAMILY_TEXT, trainer)
    library.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=False, add_prefix_space=False
    )
    return Tokenizer(library, max_tokens)


FAMILY_MODELS: dict[str, tuple[type, type, Callable[[], Tokenizer]]] = {
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, metaspace_tokenizer),
    "roberta": (RobertaConfig, RobertaModel, byte_tokenizer),
    "camembert": (CamembertConfig, CamembertModel, metaspace_tokenizer),
    "mpnet": (MPNetConfig, MPNetModel, mpnet_tokenizer),
}


FAMILY_HEADS = {
    ("xlm-roberta", "rerank"): XLMRobertaForSequenceClassification,
    ("mpnet", "rerank"): MPNetForSequenceClassification,
    ("roberta", "read"): RobertaForQuestionAnswering,
    ("mpnet", "read"): MPNetForQuestionAnswering,
}


def save_family(folder: Path, family: str, task: str | None = None, **changes: Any) -> Any:
    """An encoder of a family with random weights, saved as transformers does, with a tokenizer of the family's kind.

    With a `task` it has a head that does it.
    """
    config, model, tokenizer = FAMILY_MODELS[family]
    if task:
        model, changes = FAMILY_HEADS[family, task], {"num_labels": 1 if task == "rerank" else 2} | changes
    sizes = {"vocab_size": FAMILY_TOKENS, "max_position_embeddings": 130, "layer_norm_eps": 1e-5, "pad_token_id": 1}
    torch.manual_seed(0)
    made = model(config(**(BERT_SIZES | sizes | changes)))
    for name, parameter in made.named_parameters():
        if name.endswith(("attn.v.weight", "attn.o.weight", "self.value.weight", "attention.output.dense.weight")):
            torch.nn.init.normal_(parameter, std=0.2)  # so that what attention finds matters
        elif name.endswith("relative_attention_bias.weight"):
            torch.nn.init.normal_(parameter, std=2.0)
    return save(made, folder, tokenizer())


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


# Language models

CHAT_TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}<|assistant|>"
TURNS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def language_tokenizer(words: Sequence[str] = (), template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """A tokenizer that knows every byte, the marks of turns in a conversation, and some words as one token each."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    library = Tokenizer(models.BPE({character: number for number, character in enumerate(alphabet)}, []))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([AddedToken(turn, special=True) for turn in TURNS])
    library.add_tokens([AddedToken(word, normalized=False) for word in words])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=library, eos_token="<|end|>")  # noqa: S106
    tokenizer.chat_template = template
    return tokenizer


def llama(**changes: Any) -> LlamaForCausalLM:
    """A Llama with random weights whose head is not its embedding."""
    sizes: dict[str, Any] = {
        "vocab_size": 272,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "bos_token_id": None,
        "eos_token_id": 259,
        "initializer_range": 0.1,
    }
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**(sizes | changes))).eval()


def gpt2(**changes: Any) -> GPT2LMHeadModel:
    """A GPT-2 with random weights: Conv1D layers with biases, learned positions, a head that is its embedding."""
    sizes: dict[str, Any] = {
        "vocab_size": 272,
        "n_embd": 64,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 4096,
        "bos_token_id": 259,
        "eos_token_id": 259,
        "initializer_range": 0.1,
    }
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**(sizes | changes))).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def save_language_model(
    model: Any, folder: Path, tokenizer: PreTrainedTokenizerFast | None = None, **options: Any
) -> Path:
    """A language model with its tokenizer, saved as transformers does."""
    model.save_pretrained(folder, **options)
    (tokenizer or language_tokenizer()).save_pretrained(folder)
    return folder


def save_reciting_model(
    folder: Path, words: Sequence[str], template: str | None = CHAT_TEMPLATE, **options: Any
) -> Path:
    """A Llama that, asked whatever, recites some words and ends: what follows a token depends on that token alone.

    Its one layer adds nothing, so a position's hidden state is its token's embedding, and the head's row of each word is
    the embedding of the one before it.
    """
    tokenizer = language_tokenizer(words, template)
    model = llama(num_hidden_layers=1, vocab_size=len(tokenizer))
    first = "<|assistant|>" if template else ":"
    script = [tokenizer.convert_tokens_to_ids(word) for word in (first, *words, "<|end|>")]
    layer = model.model.layers[0]
    with torch.no_grad():
        for silent in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, model.lm_head.weight):
            silent.zero_()
        for before, after in pairwise(script):
            model.lm_head.weight[after] = model.model.embed_tokens.weight[before]
    return save_language_model(model, folder, tokenizer, **options)
