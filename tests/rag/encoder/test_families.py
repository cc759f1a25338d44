"""Encoders of other families compute what transformers' own classes do, and read texts with their kinds of tokenizers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import (
    FAMILY_HEADS,
    FAMILY_MODELS,
    FAMILY_TEXT,
    byte_tokenizer,
    metaspace_tokenizer,
    mpnet_tokenizer,
    save_family,
)
from safetensors.numpy import load_file, save_file

from ingest.corpus import corpus_document
from ingest.cutting import split
from rag.compute.plan import ComputePlan
from rag.encoder.attention_torch import BfloatAttention
from rag.encoder.checkpoint import Checkpoint
from rag.encoder.convert import quantize_model
from rag.encoder.distilbert import distilbert_weights
from rag.encoder.encoder import Encoder
from rag.encoder.families import DISTANCE_BUCKETS, distance_bias
from rag.encoder.kernel_float import FloatKernel, distilbert_model
from rag.encoder.kernel_numpy import NumpyKernel
from rag.encoder.kernel_torch import TorchKernel
from rag.encoder.pairs import load_float_pair_model, load_pair_model
from rag.encoder.weights import FloatModel
from rag.evaluate.beir import CorpusDocument
from rag.text.tokenizer import Tokenizer
from rag.train.fake_quantization import FakeQuantizedEncoder
from sql.base.errors import ModelError
from sql.base.settings import Settings
from sql.records.chunking import ChunkSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.encoder.convert import SmoothedEncoder

TEXTS = [*FAMILY_TEXT, "", "cat", " ".join(FAMILY_TEXT[:2])]


@dataclass(frozen=True)
class Saved:
    """A small model of a family as transformers has it, and its folder."""

    family: str
    theirs: Any
    model: FloatModel

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(self.model.folder / "tokenizer.json", 128)

    @cached_property
    def texts(self) -> list[str]:
        """Short ones, and two of more than 64 tokens, where attention in bfloat16 begins."""
        words = " ".join(FAMILY_TEXT[:3]) * 4
        return [*TEXTS, *(self.tokenizer.fitting(words, tokens) for tokens in (75, 126))]

    def batch(self) -> dict[str, torch.Tensor]:
        """Texts as transformers takes them: filled up with the padding token of the family."""
        ids = self.tokenizer.encode(self.texts)
        padded = torch.full((len(ids), max(map(len, ids))), self.theirs.config.pad_token_id)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = torch.tensor(tokens)
        mask = torch.arange(padded.shape[1]) < torch.tensor([len(tokens) for tokens in ids]).unsqueeze(1)
        return {"input_ids": padded, "attention_mask": mask.long()}


# CamemBERT is RoBERTa's architecture with the tokenizer of XLM-RoBERTa.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow if name == "camembert" else ()) for name in FAMILY_MODELS],
)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp(request.param)
    theirs = save_family(folder, request.param)
    return Saved(request.param, theirs, FloatModel("tiny", "", folder))


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("mpnet")
    return Saved("mpnet", save_family(folder, "mpnet"), FloatModel("tiny", "", folder))


# Floats


def test_an_encoder_of_another_family_becomes_a_distilbert_with_the_same_outputs(saved: Saved) -> None:
    batch = saved.batch()
    assert batch["input_ids"].shape[1] > 120
    with torch.inference_mode():
        theirs = saved.theirs(**batch).last_hidden_state
        ours = distilbert_model(saved.model)(**batch).last_hidden_state
    present = batch["attention_mask"].unsqueeze(2)
    assert float(((ours - theirs) * present).abs().max()) < 1e-5


def test_a_model_with_a_head_is_converted_like_the_bare_one(saved: Saved, tmp_path: Path) -> None:
    plain, _ = distilbert_weights(saved.model)
    prefix = {"mpnet": "mpnet"}.get(saved.family, "roberta")
    (tmp_path / "config.json").write_bytes((saved.model.folder / "config.json").read_bytes())
    tensors = load_file(saved.model.weights)
    save_file({f"{prefix}.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    prefixed, _ = distilbert_weights(FloatModel("tiny", "", tmp_path))
    assert plain.keys() == prefixed.keys()


def test_the_bias_of_every_distance_is_that_of_transformers(mpnet: Saved) -> None:
    table = np.random.default_rng(0).normal(size=(DISTANCE_BUCKETS, 4)).astype(np.float32)
    theirs = mpnet.theirs.encoder
    with torch.inference_mode():
        kept = theirs.relative_attention_bias.weight.clone()
        theirs.relative_attention_bias.weight.copy_(torch.from_numpy(table))
        expected = theirs.compute_position_bias(torch.zeros(1, 300, 1))[0].numpy()
        theirs.relative_attention_bias.weight.copy_(kept)
    assert np.array_equal(distance_bias(table, 300), expected)


# Codes

PLANS = [
    ComputePlan(product="float"),
    ComputePlan(product="float", attention="bfloat16"),
    ComputePlan(product="float", attention="flash bfloat16"),
    ComputePlan("bf16", attention="bfloat16"),
    ComputePlan("fp32"),
]


def test_all_kernels_are_close_to_float32(saved: Saved) -> None:
    checkpoint, _ = quantize_model(saved.model)
    texts = [text for text in saved.texts if len(text) > 10]

    def vectors(kernel: Any) -> NDArray[np.float32]:
        return Encoder(checkpoint.config, saved.tokenizer, lambda: kernel).encode(texts)

    floats = vectors(FloatKernel(saved.model, checkpoint.config))
    for kernel in [NumpyKernel(checkpoint), *(TorchKernel(checkpoint, plan) for plan in PLANS)]:
        cosines = (vectors(kernel) * floats).sum(axis=1)
        assert cosines.min() > 0.99, kernel.name


def without_bias(saved: Saved, folder: Path) -> FloatModel:
    """The same MPNet whose attention knows no distances."""
    tensors = load_file(saved.model.weights)
    tensors["encoder.relative_attention_bias.weight"] *= 0
    save_file(tensors, folder / "model.safetensors")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((saved.model.folder / name).read_bytes())
    return FloatModel("tiny", "", folder)


def test_a_kernel_that_left_the_bias_out_would_be_noticed(mpnet: Saved, tmp_path: Path) -> None:
    config = quantize_model(mpnet.model)[0].config
    found = [
        Encoder(config, mpnet.tokenizer, lambda model=model: FloatKernel(model, config)).encode(mpnet.texts)  # type: ignore[misc]
        for model in (mpnet.model, without_bias(mpnet, tmp_path))
    ]
    assert (found[0] * found[1]).sum(axis=1).min() < 0.97


def test_heads_with_large_scores_get_their_bias_too(mpnet: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, _ = quantize_model(mpnet.model)
    loud = dict(checkpoint.tensors)
    for layer in range(checkpoint.config.layers):  # two of four heads beyond what bfloat16 tells apart
        loud[f"layer.{layer}.qkv.scale"] = loud[f"layer.{layer}.qkv.scale"] * np.repeat([60, 1], [24, 120])
    exactly, computed = BfloatAttention._exactly, []

    def count(self: BfloatAttention, parts: torch.Tensor, *rest: Any) -> None:
        computed.append(tuple(parts.shape[2:4]))
        exactly(self, parts, *rest)

    monkeypatch.setattr(BfloatAttention, "_exactly", count)
    louder = Checkpoint(
        checkpoint.config, {name: tensor.astype(checkpoint.tensors[name].dtype) for name, tensor in loud.items()}
    )

    def vectors(plan: ComputePlan) -> NDArray[np.float32]:
        kernel = TorchKernel(louder, plan)
        return Encoder(louder.config, mpnet.tokenizer, lambda: kernel).encode(mpnet.texts[-2:])

    cosines = (vectors(ComputePlan("fp32")) * vectors(ComputePlan("bf16", attention="bfloat16"))).sum(axis=1)
    assert {heads for heads, tokens in computed if tokens > 64} == {2}
    assert cosines.min() > 0.97


def test_an_mpnet_that_learns_computes_what_its_checkpoint_will(mpnet: Saved) -> None:
    from rag.encoder.convert import Recipe, smooth_model

    smoothed: SmoothedEncoder = smooth_model(mpnet.model)
    student = FakeQuantizedEncoder(smoothed, Recipe()).eval()
    lengths = np.array([40, 17, 5])
    ids = np.random.default_rng(0).integers(5, 200, (3, 40)) * (np.arange(40) < lengths[:, None])
    with torch.inference_mode():
        learned = student(torch.from_numpy(ids), torch.from_numpy(lengths))[0].numpy()
    found = NumpyKernel(student.checkpoint()).forward(ids, lengths)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert (learned * found).sum(axis=1).min() > 0.9995


# Heads


EVERYDAY = {("xlm-roberta", "rerank"), ("mpnet", "read")}


@pytest.mark.parametrize(
    ("family", "task"),
    [pytest.param(*one, marks=() if one in EVERYDAY else pytest.mark.slow) for one in FAMILY_HEADS],
)
def test_a_head_on_another_family_gives_what_transformers_gives(tmp_path: Path, family: str, task: str) -> None:
    theirs = save_family(tmp_path / "float", family, task)
    own = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    model = load_pair_model(own, str(tmp_path / "float"), task)
    pairs = [windows[0] for windows in model.encoder.tokenizer.pairs("cats sat?", [*FAMILY_TEXT, ""])]
    middle = [model.encoder.tokenizer.library.id_to_token(token) for token in pairs[-1].ids[-3:]]
    assert middle == ["</s>", "</s>", "</s>"]
    expected = []
    for pair in pairs:
        with torch.inference_mode():
            found = theirs(input_ids=torch.tensor([pair.ids]))
        logits = found.logits if task == "rerank" else torch.stack([found.start_logits, found.end_logits], dim=2)
        expected.append(logits[0].numpy().ravel())
    floats = load_float_pair_model(own, model).outputs(pairs)
    assert np.concatenate([one.ravel() for one in floats]) == pytest.approx(np.concatenate(expected), abs=1e-5)
    codes = np.concatenate([one.ravel() for one in model.outputs(pairs)])
    assert np.abs(codes - np.concatenate(expected)).max() < 0.15 * np.ptp(np.concatenate(expected))


def test_a_classifier_of_another_family_is_no_reranker(tmp_path: Path) -> None:
    save_family(tmp_path, "xlm-roberta", "rerank", num_labels=3)
    with pytest.raises(ModelError, match="gives 3 labels"):
        quantize_model(FloatModel("tiny", "", tmp_path), task="rerank")


# What is refused


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("xlm-roberta", {"model_type": "new", "auto_map": {"AutoModel": "modeling.NewModel"}}, "never runs.*gte-small"),
        ("xlm-roberta", {"model_type": "xlm-roberta-xl"}, "only encoders of DistilBERT, .* and MPNet can be used"),
        ("roberta", {"pad_token_id": None}, "pad_token_id is None"),
        ("roberta", {"pad_token_id": 200}, "counts positions from 201 on"),
        ("roberta", {"position_embedding_type": "relative_key"}, "only absolute"),
        ("roberta", {"max_position_embeddings": 1}, "positions is -1"),
        ("mpnet", {"num_attention_heads": 8}, "relative_attention_bias.weight have the shape"),
    ],
)
def test_what_cannot_be_converted_exactly_is_refused(
    tmp_path: Path, family: str, changes: dict[str, Any], message: str
) -> None:
    save_family(tmp_path, family)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(ModelError, match=message):
        quantize_model(FloatModel("tiny", "", tmp_path))


def test_an_mpnet_without_its_bias_is_no_complete_encoder(tmp_path: Path) -> None:
    save_family(tmp_path, "mpnet")
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["encoder.relative_attention_bias.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"lacks the weights relative_attention_bias\.weight"):
        quantize_model(FloatModel("tiny", "", tmp_path))


# Tokenizers

TOKENIZERS = {"metaspace": metaspace_tokenizer(), "bytes": byte_tokenizer(), "wordpiece": mpnet_tokenizer()}
SCRIPTS = st.text(st.sampled_from("cats Dog,.\n\t über猫日\U0001f44d\u0301ﬁ½\x0c<s>"), max_size=50)


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(text=SCRIPTS, room=st.integers(9, 14))
def test_pieces_make_up_the_whole_text_and_each_fits_with_its_prompt(kind: str, text: str, room: int) -> None:
    tokenizer, prompt = TOKENIZERS[kind], "cat: "
    room += tokenizer.count(prompt)
    pieces = list(tokenizer.windows(text, room, prompt))
    assert "".join(text[start:end] for start, end, _ in pieces) == text
    for start, end, tokens in pieces:
        whole = len(tokenizer.encode([prompt + text[start:end]])[0]) - tokenizer.special_tokens
        assert tokens == whole
        assert whole <= room or end - start == 1


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_text_lies_between_the_special_tokens_of_the_tokenizers_own_template(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    (ids,) = tokenizer.encode(["The cat"])
    assert [tokenizer.library.id_to_token(ids[place]) for place in (0, -1)] == ["<s>", "</s>"]
    assert tokenizer.special_tokens == 2
    assert tokenizer.count("The cat") == len(ids) - 2


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_spans_of_tokens_are_places_in_the_text(kind: str) -> None:
    text = "The café’s 日本語 cats\u00a0run\n\nhere."
    spans = TOKENIZERS[kind].spans(text)
    assert spans.min() >= 0
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert spans[:, 1].max() == len(text)
    covered = {place for start, end in spans.tolist() for place in range(start, end)}
    assert {place for place, character in enumerate(text) if character.isalnum()} <= covered


def test_chunks_are_exact_parts_of_their_document_and_no_longer_than_the_encoder_reads(saved: Saved) -> None:
    checkpoint, _ = quantize_model(saved.model)
    encoder = Encoder(checkpoint.config, saved.tokenizer, lambda: NumpyKernel(checkpoint))
    text = "\n\n".join([*FAMILY_TEXT, "  猫は眠っています。" * 30, "Straße\u00a0und\u200bHund. " * 40])
    document = corpus_document(CorpusDocument("many", "", text))
    chunks = split(document, encoder, ChunkSettings(size=40))
    assert len(chunks) > 10
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert saved.tokenizer.count(chunk.text) <= 40
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert all(text[place].isspace() or text[place] == "\u200b" for place in set(range(len(text))) - covered)
