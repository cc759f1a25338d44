"""Heads learn from judged questions what they are to say, in int8 as in float32, and an interruption changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import BERT_SIZES, save
from transformers import BertConfig, BertModel

from rag.commands.command_line import command
from rag.encoder.checkpoint import read_checkpoint
from rag.encoder.pairs import load_float_pair_model, load_pair_model
from rag.encoder.weights import FloatModel
from rag.train.heads import HeadTask, best_reading, headed_start, span_target, train_head
from rag.train.labelled import Example, ReadExample, RerankExample, kept_back, read_judged_pairs, read_squad
from rag.train.training import SAVE_EVERY, TrainingOptions, choose_device, state_folder
from sql.base.errors import EXIT_OK, ModelError, RagError, UsageError
from sql.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

FILLING = ["the", "a", "of", "and", "to", "sat", "mat", "here", "one", "two", "three"]
SETTINGS: dict[str, Any] = {"store": ".rag", "model": None, "offline": True}


def passages(count: int) -> list[tuple[str, int]]:
    """Drawn passages, every other one with the word `cat` somewhere, and where that is; -1 where it is not."""
    random = np.random.default_rng(0)
    found = []
    for number in range(count):
        words = list(random.choice(FILLING, random.integers(4, 12)))
        if number % 3:
            words.insert(int(random.integers(0, len(words))), "cat")
        text = " ".join(words)
        found.append((text, text.find("cat")))
    return found


READ = [
    ReadExample(
        "who runs?", text, ("cat",) if place >= 0 else (), (place,) if place >= 0 else (), f"article {number % 11}"
    )
    for number, (text, place) in enumerate(passages(180))
]
RERANK = [RerankExample("who runs?", text, float(place >= 0)) for text, place in passages(180)]
OPTIONS = {
    "read": TrainingOptions(objective="read", steps=45, batch_size=16, learning_rate=5e-3, max_tokens=64),
    "rerank": TrainingOptions(objective="rerank", steps=60, batch_size=16, learning_rate=5e-3, max_tokens=64),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> FloatModel:
    """A BERT of one layer whose attention is strong enough to be learned from in a few steps."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    bert = BertModel(BertConfig(**(BERT_SIZES | {"num_hidden_layers": 1})))
    for name, parameter in bert.named_parameters():
        if name.endswith(("self.value.weight", "attention.output.dense.weight")):
            torch.nn.init.normal_(parameter, std=0.2)
    save(bert, folder, tokenizer)
    return FloatModel(str(folder), "", folder)


@pytest.mark.parametrize(("task", "examples"), [("read", READ), ("rerank", RERANK)])
def test_a_head_solves_a_task_that_it_never_saw_in_int8_as_in_float32(
    model: FloatModel, tmp_path: Path, task: str, examples: list[Example]
) -> None:
    summary = train_head(model, examples, tmp_path / "head", OPTIONS[task], device="cpu")
    assert summary.held_out > 15
    assert summary.examples == 180 - summary.held_out
    for figures in (summary.float32, summary.int8):
        assert figures.auc is not None
        assert figures.auc > 0.95
        if task == "read":
            assert figures.f1 is not None
            assert figures.f1 > 0.9
            assert figures.exact is not None
            assert figures.exact > 0.9
    assert f"trained {summary.steps} steps ({task}, " in summary.weights
    assert not state_folder(tmp_path / "head").exists()
    trained = load_pair_model(Settings(cache=tmp_path, **SETTINGS), str(tmp_path / "head"), task)
    assert trained.encoder.config.token_types == 2
    with pytest.raises(ModelError, match="has no float32 weights to compare with"):
        load_float_pair_model(Settings(cache=tmp_path, **SETTINGS), trained)
    if task == "rerank":
        good, bad = trained.scores("who runs?", ["one two cat mat", "one two three mat"])
        assert good > 0.5 > bad


class Stop:
    """Progress that interrupts after some steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, step: int, steps: int, loss: float) -> None:  # noqa: ARG002
        if step == self.after:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(model: FloatModel, tmp_path: Path) -> None:
    options = TrainingOptions(objective="read", steps=SAVE_EVERY + 6, batch_size=8, max_tokens=64)
    train_head(model, READ, tmp_path / "whole", options, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train_head(model, READ, tmp_path / "stopped", options, device="cpu", progress=Stop(SAVE_EVERY + 3))
    said: list[str] = []
    with pytest.raises(ModelError, match="other options"):
        train_head(model, READ[:-1], tmp_path / "stopped", options, device="cpu")
    summary = train_head(model, READ, tmp_path / "stopped", options, device="cpu", announce=said.append)
    assert summary.resumed_at == SAVE_EVERY
    assert f"continuing from step {SAVE_EVERY} of {SAVE_EVERY + 6}" in said
    one, other = (read_checkpoint(tmp_path / name).tensors for name in ("whole", "stopped"))
    assert all(np.array_equal(one[name], other[name]) for name in one)


# What is learned from


def test_an_answer_is_the_tokens_that_hold_it_and_another_window_has_none(model: FloatModel) -> None:
    options = OPTIONS["read"]
    task = HeadTask([], headed_start(model, options), options, choose_device("cpu"))
    example = ReadExample("who runs?", "the mat " * 40 + "cats", ("cats",), (320,))
    windows = task.windows(example)
    assert len(windows) == 2
    assert span_target(example, windows[0]) == (0, 0)
    first, last = span_target(example, windows[1])
    spans = windows[1].spans
    assert (spans[first - windows[1].first, 0], spans[last - windows[1].first, 1]) == (320, 324)
    assert last > first  # cat and ##s
    logits = np.zeros((len(windows[1].ids), 2), dtype=np.float32)
    logits[first, 0] = logits[last, 1] = 5
    logits[0] = 1
    assert best_reading(example.passage, [windows[1]], [logits]) == (8.0, "cats")


def squad(**changes: Any) -> str:
    """A file in the layout of SQuAD 2 with one question that has an answer and one that has none."""
    answer = {"text": "cat", "answer_start": 4} | changes
    questions = [
        {"question": "who sat?", "answers": [answer]},
        {"question": "who ran?", "answers": [], "is_impossible": True},
    ]
    return json.dumps({"data": [{"title": "Pets", "paragraphs": [{"context": "the cat sat", "qas": questions}]}]})


def test_a_file_of_squad_is_read_with_its_questions_without_answers(tmp_path: Path) -> None:
    (tmp_path / "squad.json").write_text(squad())
    assert read_squad(tmp_path / "squad.json") == [
        ReadExample("who sat?", "the cat sat", ("cat",), (4,), "Pets"),
        ReadExample("who ran?", "the cat sat", (), (), "Pets"),
    ]


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_squad, squad(answer_start=5), "the answer 'cat' to 'who sat?' does not stand at 5"),
        (read_squad, squad(text=""), "does not stand at 4"),
        (read_squad, squad(answer_start=None), "no file in the layout of SQuAD 2"),
        (read_squad, "[]", "no file in the layout of SQuAD 2"),
        (read_squad, "not JSON", "no file in the layout of SQuAD 2"),
        (read_squad, '{"data": []}', "holds 0 questions, none with an answer"),
        (read_judged_pairs, '{"question": "a", "passage": "b", "label": 2}', ":1: the label is 2, it has to be"),
        (read_judged_pairs, '{"question": "a", "passage": 5, "label": 1}', "have to be texts"),
        (read_judged_pairs, '{"question": "a"}', "no JSON object with question, passage and label"),
        (read_judged_pairs, '{"question": "a", "passage": "b", "label": 1}\n', "holds 1 pairs, not some"),
    ],
)
def test_a_file_that_is_wrong_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], object], content: str, message: str
) -> None:
    path = tmp_path / "file"
    with pytest.raises(RagError, match="cannot be read"):
        read(path)
    path.write_text(content)
    with pytest.raises(RagError) as raised:
        read(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_no_passage_is_learned_from_and_measured_with() -> None:
    articles = [ReadExample("q", f"passage {number // 3}", (), (), f"article {number // 6}") for number in range(90)]
    out = kept_back(articles)
    assert 0 < out.sum() < 20
    assert not {one.group for one, is_out in zip(articles, out, strict=True) if is_out} & {
        one.group for one, is_out in zip(articles, out, strict=True) if not is_out
    }
    few = [ReadExample("q", f"passage {number // 3}", (), (), "one article") for number in range(90)]
    assert kept_back(few).sum() == 9
    assert not kept_back(few[:20]).any()


# The command


def test_the_command_trains_a_reader_that_the_reader_option_takes(
    model: FloatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "squad.json").write_text(squad())
    folder = str(tmp_path / "reader")
    given = ["--model", str(model.folder), "--steps", "2", "--batch-size", "2", "--device", "cpu", "--max-tokens", "64"]
    assert command(["model", "train", "--reader", str(tmp_path / "squad.json"), "--out", folder, *given]) == EXIT_OK
    assert f"use it with --reader {folder}" in capsys.readouterr().out
    assert load_pair_model(Settings(cache=tmp_path, **SETTINGS), folder, "read").name == folder


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--qat"], "--qat learns from documents: give at least one PATH"),
        (["docs", "--reader", "squad.json"], "learn from their FILE alone: leave out docs"),
        (["--rerank", "pairs.jsonl", "--objective", "distill"], "leave out --objective distill"),
        (["--rerank", "pairs.jsonl", "--max-tokens", "0"], "max tokens 0: at least 4"),
    ],
)
def test_options_of_another_kind_of_training_are_refused(
    model: FloatModel, tmp_path: Path, given: list[str], message: str
) -> None:
    with pytest.raises((UsageError, RagError), match=message):
        command(["model", "train", *given, "--out", str(tmp_path / "out"), "--model", str(model.folder)])
    assert not (tmp_path / "out").exists()
