"""Quantization-aware training: it learns, it beats rounding after the fact, and an interruption changes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import save_distilbert

from ingest.command_line import command as ingest
from rag.commands.command_line import command
from rag.encoder.checkpoint import read_checkpoint
from rag.encoder.convert import Recipe, quantize_model, smooth_model
from rag.encoder.encoder import load_encoder
from rag.encoder.kernel_numpy import NumpyKernel
from rag.encoder.weights import FloatModel
from rag.train.fake_quantization import FakeQuantizedEncoder
from rag.train.pairs import Passage
from rag.train.training import (
    SAVE_EVERY,
    STATE_FILE,
    Run,
    State,
    TrainingOptions,
    TrainingSummary,
    rate_factor,
    state_folder,
    train,
)
from sql.base.errors import EXIT_OK, ModelError, RagError, StoreMismatch
from sql.base.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

WORDS = ["the", "a", "of", "and", "to", "cat", "dog", "sat", "mat", "runs", "here", "one", "two", "three"]
SHORT = TrainingOptions(Recipe(bits=4), steps=SAVE_EVERY + 10, batch_size=8, learning_rate=1e-3)


def written(count: int) -> list[Passage]:
    """ChunkBatch of drawn words, each under a heading of two."""
    random = np.random.default_rng(0)
    drawn = [" ".join(random.choice(WORDS, random.integers(5, 24))) for _ in range(count)]
    return [
        Passage(f"{text[:9]}\n\n{text}.", f"{text[:9]} number {number}", f"{text}.")
        for number, text in enumerate(drawn)
    ]


PASSAGES = written(60)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> FloatModel:
    folder = tmp_path_factory.mktemp("model")
    save_distilbert(folder, tokenizer)
    return FloatModel("tiny", "", folder)


class Watch:
    """Progress that remembers, and interrupts after a step."""

    def __init__(self, until: int = 10**9) -> None:
        self.until = until
        self.losses: list[float] = []
        self.steps: list[int] = []

    def __call__(self, step: int, steps: int, loss: float) -> None:  # noqa: ARG002
        self.steps.append(step)
        self.losses.append(loss)
        if step == self.until:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(model: FloatModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingSummary, Watch]:
    """One uninterrupted run that several tests look at."""
    folder, watch = tmp_path_factory.mktemp("trained") / "model", Watch()
    return folder, train(model, PASSAGES, folder, SHORT, device="cpu", progress=watch), watch


def test_the_loss_falls_and_every_step_is_told(trained: tuple[Path, TrainingSummary, Watch]) -> None:
    _, summary, watch = trained
    assert watch.steps == list(range(1, SAVE_EVERY + 11))
    assert summary.first_loss == watch.losses[0]
    assert summary.last_loss < 0.5 * np.mean(watch.losses[:5])


def test_training_beats_rounding_after_the_fact_on_passages_it_never_saw(
    trained: tuple[Path, TrainingSummary, Watch],
) -> None:
    _, summary, _ = trained
    assert summary.held_out == 6
    assert summary.cosine_before is not None
    assert summary.cosine_after is not None
    assert 1 - summary.cosine_after < 0.7 * (1 - summary.cosine_before)


def test_the_result_is_a_checkpoint_as_any_other_under_its_own_name(
    trained: tuple[Path, TrainingSummary, Watch], model: FloatModel, tmp_path: Path
) -> None:
    folder, summary, _ = trained
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]  # no state is left
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config.weights == summary.weights
    assert checkpoint.config.weights.startswith(
        "4-bit weights per channel, calibrated 8-bit activations, trained 30 steps"
    )
    assert all(np.abs(t).max() <= 7 for n, t in checkpoint.tensors.items() if n.startswith("layer.") and "codes" in n)
    encoder = load_encoder(Settings("", None, tmp_path, offline=True), str(folder))
    assert encoder.identity != quantize_model(model, Recipe(bits=4))[0].config.identity
    plain = NumpyKernel(quantize_model(model, Recipe(bits=4))[0])
    ids, lengths = np.array([[2, 40, 41, 3]]), np.array([4])
    assert not np.allclose(encoder.kernel.forward(ids, lengths), plain.forward(ids, lengths), atol=1e-3)


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(
    trained: tuple[Path, TrainingSummary, Watch], model: FloatModel, tmp_path: Path
) -> None:
    folder, said = tmp_path / "model", []
    with pytest.raises(KeyboardInterrupt):
        train(model, PASSAGES, folder, SHORT, device="cpu", progress=Watch(until=SAVE_EVERY + 3))
    assert not folder.exists()
    second = Watch()
    summary = train(model, PASSAGES, folder, SHORT, device="cpu", announce=said.append, progress=second)
    assert summary.resumed_at == SAVE_EVERY
    assert second.steps == list(range(SAVE_EVERY + 1, SAVE_EVERY + 11))
    assert said[1:] == [f"continuing from step {SAVE_EVERY} of {SAVE_EVERY + 10}"]
    whole, interrupted = read_checkpoint(trained[0]), read_checkpoint(folder)
    assert all(np.array_equal(tensor, interrupted.tensors[name]) for name, tensor in whole.tensors.items())
    assert whole.config.weights == interrupted.config.weights
    assert (summary.first_loss, summary.last_loss) == (trained[1].first_loss, trained[1].last_loss)


@pytest.fixture(scope="module")
def interrupted(model: FloatModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that was stopped after its state had been saved."""
    folder = tmp_path_factory.mktemp("interrupted") / "model"
    with pytest.raises(KeyboardInterrupt):
        train(model, PASSAGES, folder, SHORT, device="cpu", progress=Watch(until=SAVE_EVERY))
    return folder


@pytest.mark.parametrize("changes", [{"seed": 1}, {"learning_rate": 2e-3}, {"recipe": Recipe()}, {"steps": 99}])
def test_a_run_does_not_go_on_with_other_options(interrupted: Path, model: FloatModel, changes: dict[str, Any]) -> None:
    before = (state_folder(interrupted) / STATE_FILE).read_bytes()
    with pytest.raises(ModelError, match="other options"):
        train(model, PASSAGES, interrupted, replace(SHORT, **changes), device="cpu")
    assert (state_folder(interrupted) / STATE_FILE).read_bytes() == before
    assert not interrupted.exists()


def test_a_run_does_not_go_on_with_other_texts(interrupted: Path, model: FloatModel) -> None:
    with pytest.raises(ModelError, match="other texts"):
        train(model, PASSAGES[1:], interrupted, SHORT, device="cpu")


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "something else"])
def test_a_damaged_state_is_refused_in_a_sentence(
    interrupted: Path, model: FloatModel, tmp_path: Path, damage: str
) -> None:
    content = (state_folder(interrupted) / STATE_FILE).read_bytes()
    folder = tmp_path / "model"
    state_folder(folder).mkdir()
    if damage == "something else":
        (state_folder(folder) / "notes.txt").write_text("mine")
    else:
        changed = {"truncated": content[: len(content) // 2], "empty": b"", "foreign": b"PK\x03\x04" * 100}[damage]
        (state_folder(folder) / STATE_FILE).write_bytes(changed)
    with pytest.raises(ModelError, match="no readable training state"):
        train(model, PASSAGES, folder, SHORT, device="cpu")


def test_a_crash_while_the_first_state_was_written_leaves_a_draft_that_is_in_nobodys_way(
    model: FloatModel, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    state_folder(folder).mkdir()
    (state_folder(folder) / STATE_FILE).with_suffix(".draft").write_bytes(b"half")
    summary = train(model, PASSAGES, folder, replace(SHORT, steps=2), device="cpu")
    assert summary.resumed_at == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class Breaks:
    """A task whose loss is a number until a step, and then no longer."""

    texts: list[str]
    lengths = np.arange(4)
    groups = [np.arange(4)]  # noqa: RUF012

    def __init__(self, after: int, loss: float) -> None:
        self.left, self.bad = after, loss

    def prepare(self, items: Any) -> None:
        """Needs nothing."""

    def loss(self, student: FakeQuantizedEncoder, items: Any) -> torch.Tensor:  # noqa: ARG002
        self.left -= 1
        total = sum(parameter.sum() for parameter in student.parameters())
        return total * 0 + (self.bad if self.left < 0 else 1.0)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("after", "loss", "kept"),
    [(SAVE_EVERY + 2, float("nan"), f"after step {SAVE_EVERY} is kept"), (1, float("inf"), "nothing was written")],
)
def test_a_loss_that_is_no_number_stops_the_run_and_the_last_good_state_is_kept(
    model: FloatModel, tmp_path: Path, after: int, loss: float, kept: str
) -> None:
    student = FakeQuantizedEncoder(smooth_model(model), Recipe())
    state = State(tmp_path / "state", "a")
    run = Run(student, Breaks(after, loss), [np.arange(4)] * 99, SHORT, state)
    with pytest.raises(RagError, match=rf"the loss is {loss} at step {after + 1}: .*{kept}.*learning rate below"):
        run.finish(Watch())
    assert state.saved_steps() == (SAVE_EVERY if after > SAVE_EVERY else 0)


def test_a_state_that_cannot_be_written_is_said_in_a_sentence(model: FloatModel, tmp_path: Path) -> None:
    student = FakeQuantizedEncoder(smooth_model(model), Recipe())
    run = Run(student, Breaks(999, 1.0), [np.arange(4)] * SAVE_EVERY, SHORT, State(tmp_path / "state", "a"))
    run.state.draft.mkdir(parents=True)
    with pytest.raises(ModelError, match=r"cannot be written to .*state .*make room"):
        run.finish(Watch())


def test_weights_that_are_no_numbers_do_not_replace_a_good_state(model: FloatModel, tmp_path: Path) -> None:
    student = FakeQuantizedEncoder(smooth_model(model), Recipe())
    run = Run(student, Breaks(999, 1.0), [np.arange(4)] * SAVE_EVERY, SHORT, State(tmp_path / "state", "a"))
    with torch.no_grad():
        next(student.parameters())[0] = torch.nan
    with pytest.raises(RagError, match=r"no longer a (finite number|number)|the loss is nan"):
        run.finish(Watch())
    assert not (tmp_path / "state").exists()


def test_headings_learn_to_find_their_passages(model: FloatModel, tmp_path: Path) -> None:
    options = TrainingOptions(Recipe(), "contrastive", steps=30, batch_size=16, learning_rate=1e-3)
    watch = Watch()
    summary = train(model, PASSAGES, tmp_path / "model", options, device="cpu", progress=watch)
    assert np.mean(watch.losses[-5:]) < 0.8 * np.mean(watch.losses[:5])
    assert "contrastive" in summary.weights


def test_a_model_of_another_architecture_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path / "model", tokenizer)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"model_type": "electra"}))
    with pytest.raises(ModelError, match="only encoders of DistilBERT"):
        train(FloatModel("odd", "", tmp_path / "model"), PASSAGES, tmp_path / "out", SHORT)
    assert not (tmp_path / "out").exists()
    assert not state_folder(tmp_path / "out").exists()


def test_the_learning_rate_rises_then_falls_and_is_never_0() -> None:
    rates = [rate_factor(step, 200) for step in range(200)]
    assert rates[9] == max(rates) == 1
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert min(rates) > 0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"steps": 0}, "steps 0"),
        ({"epochs": 0}, "epochs 0"),
        ({"batch_size": 1}, "batch size 1"),
        ({"learning_rate": float("nan")}, "learning rate nan"),
        ({"learning_rate": 0.0}, "learning rate 0"),
        ({"objective": "guess"}, "objective guess"),
        ({"max_tokens": 2}, "max tokens 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(RagError, match=word):
        TrainingOptions(**changes)


# The command


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one document of several sections."""
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RAG_MODEL", raising=False)
    folder = tmp_path / "docs"
    folder.mkdir()
    sections = [f"## Section {passage.heading}\n\n{passage.body}\n" for passage in PASSAGES[:12]]
    (folder / "guide.md").write_text("# Guide\n\n" + "\n".join(sections))
    return folder


def test_the_command_trains_and_its_folder_is_a_model(
    documents: Path, model: FloatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", str(model.folder), "--steps", "3", "--batch-size", "4", "--bits", "4", "--device", "cpu"]
    folder = tmp_path / "trained"
    assert command(["model", "train", "--qat", str(documents), "--out", str(folder), *given, "--json"]) == EXIT_OK
    shown = capsys.readouterr()
    summary = json.loads(shown.out)
    assert re.fullmatch(r"learning from \d+ texts in 3 steps of 4 on cpu\n", shown.err)
    assert (summary["steps"], summary["folder"], summary["device"]) == (3, str(folder), "cpu")
    assert summary["weights"] == read_checkpoint(folder).config.weights
    with pytest.raises(ModelError, match="finished model"):
        command(["model", "train", "--qat", str(documents), "--out", str(folder), *given])
    assert command(["model", "path", "--model", str(folder)]) == EXIT_OK
    assert capsys.readouterr().out == f"{folder}\n"


def test_the_command_tells_its_progress_in_lines_where_there_is_no_terminal(
    documents: Path, model: FloatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", str(model.folder), "--steps", "2", "--batch-size", "4", "--objective", "contrastive"]
    assert command(["model", "train", "--qat", str(documents), "--out", str(tmp_path / "out"), *given]) == EXIT_OK
    shown = capsys.readouterr()
    assert [line.split("  ")[0] for line in shown.err.splitlines()[1:]] == ["step 1/2", "step 2/2"]
    assert "2 steps on" in shown.out


def test_the_command_quantizes_by_a_recipe_and_calibrates_on_documents(
    documents: Path, model: FloatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "quantized"
    given = ["--model", str(model.folder), "--weights", "per-tensor", "--ranges", "percentile", "--json"]
    assert command(["model", "quantize", "--out", str(folder), "--calibrate", str(documents), *given]) == EXIT_OK
    summary = json.loads(capsys.readouterr().out)
    assert summary["weights"].startswith(
        "int8 weights per tensor by percentile, calibrated 8-bit activations, calibrated on"
    )
    assert read_checkpoint(folder).config.weights == summary["weights"]


def test_a_store_made_with_a_trained_model_is_asked_with_it_and_refuses_another(
    documents: Path, model: FloatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, store = tmp_path / "trained", str(tmp_path / "store")
    given = ["--model", str(model.folder), "--steps", "2", "--batch-size", "4", "--device", "cpu", "--json"]
    assert command(["model", "train", "--qat", str(documents), "--out", str(folder), *given]) == EXIT_OK
    assert ingest([str(documents), "--db", store, "--model", str(folder), "--json"]) == EXIT_OK
    capsys.readouterr()
    assert command(["search", "the cat sat", "--db", store, "--json"]) == EXIT_OK  # with the model the store names
    assert json.loads(capsys.readouterr().out)["hits"]
    with pytest.raises(StoreMismatch, match=f"--model {folder}"):
        command(["search", "the cat sat", "--db", store, "--model", str(model.folder)])


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_command_with_nothing_to_learn_from_writes_nothing(tmp_path: Path, model: FloatModel, name: str) -> None:
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / name), "--out", str(tmp_path / "out"), "--model", str(model.folder)]
    with pytest.raises(RagError, match=r"give more documents|that can be read"):
        command(["model", "train", "--qat", *given])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


def test_training_has_to_be_asked_for_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(["model", "train", str(tmp_path), "--out", str(tmp_path / "out")])
    assert "--qat" in capsys.readouterr().err
