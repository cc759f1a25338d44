"""Cross-encoders and readers: the same numbers as transformers in float32, close to them in int8, or one clear sentence."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import HEADED, save_bert, save_headed
from safetensors.numpy import load_file, save_file

from rag.encoder.checkpoint import WEIGHTS_FILE, read_checkpoint
from rag.encoder.convert import quantize_model
from rag.encoder.encoder import Encoder, checkpoint_folder, load_encoder
from rag.encoder.heads import READ, RERANK, TASKS, Head, HeadConfig, head_shapes
from rag.encoder.kernel_numpy import NumpyKernel
from rag.encoder.pairs import PairModel, load_float_pair_model, load_pair_model
from rag.encoder.weights import FloatModel
from sql.base.errors import ModelError, UsageError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer, TokenPair

QUESTION = "the cat sat where"
PASSAGES = ["the cat sat on the mat.", "dog and cat and dog " * 25, "", "a", "the dog runs here " * 90]


class Shop:
    """One model of each kind and task, saved once, with a cache of its own."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.folder, self.tokenizer = folder, tokenizer
        self.settings = Settings(store=".rag", model=None, cache=folder / "cache", offline=True)
        self.floats = {one: save_headed(*one, self.place(*one), tokenizer) for one in HEADED}

    def place(self, kind: str, task: str) -> Path:
        return self.folder / f"{kind}-{task}"

    def load(self, kind: str, task: str) -> PairModel:
        return load_pair_model(self.settings, str(self.place(kind, task)), task)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Shop:
    return Shop(tmp_path_factory.mktemp("heads"), tokenizer)


def first_windows(model: PairModel) -> list[TokenPair]:
    return [windows[0] for windows in model.encoder.tokenizer.pairs(QUESTION, PASSAGES)]


def transformers_outputs(model: Any, pairs: list[TokenPair], kind: str) -> list[NDArray[np.float32]]:
    """What transformers computes for each pair by itself."""
    outputs = []
    for pair in pairs:
        given = {"input_ids": torch.tensor([pair.ids])}
        if kind == "bert":
            given["token_type_ids"] = torch.tensor([pair.types])
        with torch.inference_mode():
            found = model(**given)
        logits = found.logits if "logits" in found else torch.stack([found.start_logits, found.end_logits], dim=2)
        outputs.append(logits[0].numpy())
    return outputs


def joined(outputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([output.ravel() for output in outputs])


@pytest.mark.parametrize(("kind", "task"), HEADED)
def test_in_float32_a_head_gives_what_transformers_gives_and_in_int8_nearly_that(
    shop: Shop, kind: str, task: str
) -> None:
    ours = shop.load(kind, task)
    pairs = first_windows(ours)
    expected = transformers_outputs(shop.floats[kind, task], pairs, kind)
    floats = load_float_pair_model(shop.settings, ours).outputs(pairs)
    assert [output.shape for output in floats] == [output.shape for output in expected]
    assert joined(floats) == pytest.approx(joined(expected), abs=1e-5)
    found = joined(ours.outputs(pairs))
    assert np.abs(found - joined(expected)).max() < 0.05
    if task == READ:
        assert np.corrcoef(found, joined(expected))[0, 1] > 0.99
    checkpoint = read_checkpoint(checkpoint_folder(shop.settings, ours.name, task=task))
    kernel = NumpyKernel(checkpoint)
    twin = PairModel(Encoder(ours.encoder.config, ours.encoder.tokenizer, lambda: kernel), ours.head)
    assert joined(twin.outputs(pairs)) == pytest.approx(found, abs=0.01)


def test_a_bert_sees_which_tokens_are_the_passage_and_a_distilbert_does_not(shop: Shop) -> None:
    for kind, types in (("bert", 2), ("distilbert", 1)):
        model = shop.load(kind, RERANK)
        assert model.encoder.config.token_types == types
        (pair,) = model.encoder.tokenizer.pairs(QUESTION, PASSAGES[:1])[0]
        alike = type(pair)(pair.ids, [0] * len(pair.ids), pair.first, pair.spans)
        (with_types,), (without,) = model.outputs([pair]), model.outputs([alike])
        assert (with_types == without).all() == (types == 1)


@pytest.mark.parametrize("task", TASKS)
def test_a_pairs_outputs_do_not_depend_on_its_neighbours(shop: Shop, task: str) -> None:
    model = shop.load("bert", task)
    pairs = first_windows(model)
    together = model.outputs(pairs * 3)
    for number, pair in enumerate(pairs):
        assert (together[number] == model.outputs([pair])[0]).all()
    assert model.outputs([]) == []


def test_only_the_passage_is_cut_and_a_question_that_leaves_it_no_room_is_refused(shop: Shop) -> None:
    model = shop.load("bert", RERANK)
    assert model.encoder.config.max_tokens == 300
    pairs = first_windows(model)
    asked = model.encoder.tokenizer.count(QUESTION)
    assert [len(pair.ids) for pair in pairs[2:]] == [asked + 3, asked + 4, 300]
    assert len({tuple(pair.ids[: asked + 2]) for pair in pairs}) == 1
    with pytest.raises(UsageError, match="the question has 290 tokens, and the model reads 300 of a question and a"):
        model.scores("cat " * 290, ["dog"])


def test_windows_read_all_of_a_passage_and_know_where_their_tokens_stand(shop: Shop) -> None:
    tokenizer, text = shop.load("bert", READ).encoder.tokenizer, "  " + "cat dog\u200bmat. " * 200
    (windows,) = tokenizer.pairs("a cat", [text], overlap=32)
    assert len(windows) > 2
    for one, following in pairwise(windows):
        assert len(one.ids) == 300
        assert one.spans[-32:].tolist() == following.spans[:32].tolist()
    seen = {tuple(span) for window in windows for span in window.spans.tolist()}
    assert seen == {tuple(span) for span in tokenizer.spans(text).tolist()}
    for window in windows:
        passage = window.ids[window.first : window.first + len(window.spans)]
        words = [text[start:end] for start, end in window.spans]
        assert [tokenizer.library.id_to_token(number) for number in passage] == words


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "sigmoid"),
        (
            {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"}},
            "identity",
        ),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "identity"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}}, "tanh"),
    ],
)
def test_a_score_is_made_by_the_function_that_the_models_configuration_names(
    tmp_path: Path, tokenizer: Tokenizer, config: dict[str, Any], expected: str
) -> None:
    save_headed("distilbert", RERANK, tmp_path, tokenizer, n_layers=1)
    change_config(tmp_path, **config)
    checkpoint, _ = quantize_model(FloatModel("tiny", "", tmp_path), task=RERANK)
    assert checkpoint.config.head == HeadConfig(RERANK, "relu", expected)
    raw = np.array([-2.0, 0.0, 3.0], dtype=np.float32)
    wanted = {"sigmoid": 1 / (1 + np.exp(-raw)), "identity": raw, "tanh": np.tanh(raw)}[expected]
    assert Head(checkpoint.config.head, checkpoint.tensors).scores(raw) == pytest.approx(wanted, abs=1e-6)


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def without_tensor(folder: Path, name: str) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    del tensors[name]
    save_file(tensors, folder / WEIGHTS_FILE)


def test_a_function_of_somebody_elses_is_refused_and_never_run(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_headed("bert", RERANK, tmp_path, tokenizer)
    change_config(tmp_path, sentence_transformers={"activation_fn": "os.abort"})
    with pytest.raises(ModelError, match=r"makes scores by os\.abort: only Identity, Sigmoid, Tanh can be used"):
        quantize_model(FloatModel("tiny", "", tmp_path), task=RERANK)


def test_a_model_of_another_kind_is_named_with_what_is_needed(tmp_path: Path, tokenizer: Tokenizer, shop: Shop) -> None:
    encoder, many, bare = tmp_path / "encoder", tmp_path / "many", tmp_path / "bare"
    save_bert(encoder, tokenizer)
    save_headed("bert", RERANK, many, tokenizer, num_labels=3)
    save_headed("bert", RERANK, bare, tokenizer)
    without_tensor(bare, "bert.pooler.dense.weight")
    reranker, reader = "a reranker is an encoder", "a reader is an encoder"
    for folder, task, message in (
        (encoder, RERANK, f"is a BertModel: it has no such head; {reranker}"),
        (many, RERANK, f"gives 3 labels to a text or a pair; {reranker}"),
        (bare, RERANK, f"lacks the weights pooler.dense.weight; {reranker}"),
        (many, READ, rf"is a BertForSequenceClassification: .*--rerank takes those\); {reader}"),
        (shop.place("bert", READ), RERANK, rf"is a BertForQuestionAnswering: .*--reader takes those\); {reranker}"),
    ):
        with pytest.raises(ModelError, match=message):
            quantize_model(FloatModel("it", "", folder), task=task)
    with pytest.raises(ModelError, match="--rerank takes those"):
        quantize_model(FloatModel("it", "", shop.place("bert", RERANK)))


def test_a_checkpoint_of_another_kind_is_named_too(shop: Shop, tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_bert(tmp_path / "encoder", tokenizer)
    encoder = checkpoint_folder(shop.settings, str(tmp_path / "encoder"))
    reranker, reader = (checkpoint_folder(shop.settings, str(shop.place("bert", task)), task=task) for task in TASKS)
    with pytest.raises(
        ModelError, match=r"is an encoder, which gives texts vectors; what is needed here is a cross-enc"
    ):
        load_pair_model(shop.settings, str(encoder), RERANK)
    with pytest.raises(ModelError, match=r"is a cross-encoder, .*; what is needed here is a reader"):
        load_pair_model(shop.settings, str(reranker), READ)
    with pytest.raises(ModelError, match=r"is a reader, .*; what is needed here is an encoder"):
        load_encoder(shop.settings, str(reader))


def test_a_head_without_a_sense_is_refused() -> None:
    with pytest.raises(ModelError, match="a head with the task 'sing' cannot be used"):
        HeadConfig("sing")
    with pytest.raises(ModelError, match="a head with the score 'exec' cannot be used"):
        HeadConfig(RERANK, "tanh", "exec")
    assert head_shapes(HeadConfig(READ), 8) == {"head.output.weight": (2, 8), "head.output.bias": (2,)}
