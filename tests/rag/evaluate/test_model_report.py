"""The report on a model: its sizes are those of the files, float32 is compared with itself, the picture is a picture."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from models import save_distilbert

from rag.commands.command_line import command
from rag.encoder.checkpoint import WEIGHTS_FILE
from rag.encoder.encoder import checkpoint_folder
from rag.evaluate import model_plot, model_report
from rag.evaluate.model_memory import Memory, covered, held_bytes, measure_apart, measure_encoder
from rag.evaluate.model_report import ARCHITECTURE, architecture_bytes, forms, load_forms
from rag.text.sample_text import sample_passages
from sql.base.errors import EXIT_ERROR, EXIT_USAGE
from sql.base.settings import Settings, read_settings
from sql.base.terminal import run_command

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer

DOCUMENTS = {"d1": "the cat sat here", "d2": "a dog runs to the mat", "d3": "one two three of the cat and the dog"}
FORM_KEYS = {
    "name", "meaning", "disk_bytes", "weights_bytes", "loaded_bytes", "encoding_bytes", "tokens_per_second",
    "times_float32", "query_ms", "cosine_mean", "cosine_min", "ndcg@10", "kept", "missing",
}  # fmt: skip


def write_set(folder: Path) -> Path:
    """An evaluation set of three documents and two queries."""
    (folder / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    queries = [json.dumps({"_id": "q1", "text": "cat"}), json.dumps({"_id": "q2", "text": "dog runs"})]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n")
    return folder


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """A folder with a float model, an evaluation set and a cache."""
    folder = tmp_path_factory.mktemp("report")
    save_distilbert(folder / "model", tokenizer)
    write_set(folder / "tiny-set")
    return folder


def settings_of(workplace: Path) -> Settings:
    return replace(read_settings(), model=None, cache=workplace / "cache", offline=True)


def measure_one_apart(task: dict[str, Any]) -> Memory:
    """Memory as the report measures it for int8; for the other forms in this process, which saves seconds."""
    if task["form"] == "int8":
        return measure_apart(task)
    settings = Settings(**(task["settings"] | {"cache": Path(task["settings"]["cache"])}))
    one = next(each for each in forms() if each.name == task["form"])
    return measure_encoder(lambda: one.load(settings, task["model"]), task["texts"])


@pytest.fixture(scope="module")
def printed(workplace: Path) -> dict[str, Any]:
    """What one run of the command prints as JSON; it draws its picture too."""
    plot = workplace / "report.png"
    words = ["--eval", str(workplace / "tiny-set"), "--plot", str(plot), "--architecture", "none", "--json"]
    with pytest.MonkeyPatch.context() as patch:
        records: list[dict[str, Any]] = []
        patch.setenv("RAG_CACHE", str(workplace / "cache"))
        patch.setattr("rag.commands.model.out_json", records.append)
        patch.setattr(model_report, "ROUNDS", 1)
        patch.setattr(model_report, "PASSAGES", 2)
        patch.setattr(model_report, "measure_apart", measure_one_apart)
        assert command(["model", "report", "--model", str(workplace / "model"), *words]) == 0
    return json.loads(json.dumps(records[0], allow_nan=False))


@pytest.mark.slow
def test_a_report_of_two_forms_compares_their_sizes_and_speed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[dict[str, Any]] = []
    two = [each for each in forms() if each.name in {"float32", "int8"}]
    monkeypatch.setenv("RAG_CACHE", str(workplace / "cache"))
    monkeypatch.setattr("rag.commands.model.out_json", records.append)
    monkeypatch.setattr(model_report, "ROUNDS", 1)
    monkeypatch.setattr(model_report, "PASSAGES", 2)
    monkeypatch.setattr(model_report, "forms", lambda: two)
    monkeypatch.setattr(model_report, "measure_apart", measure_one_apart)
    assert command(["model", "report", "--model", str(workplace / "model"), "--architecture", "none", "--json"]) == 0
    plain, quantized = records[0]["forms"]
    assert (plain["name"], quantized["name"]) == ("float32", "int8")
    assert plain.keys() == quantized.keys() == FORM_KEYS
    assert plain["times_float32"] == 1
    assert quantized["query_ms"] > 0
    assert quantized["disk_bytes"] < plain["disk_bytes"]


def form(printed: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in printed["forms"] if each["name"] == name)


@pytest.mark.slow
def test_every_form_is_there_with_every_key(printed: dict[str, Any]) -> None:
    assert printed.keys() == {
        "model", "revision", "tokenizer", "torch", "threads", "passages", "tokens", "forms", "architecture"
    }  # fmt: skip
    assert [each["name"] for each in printed["forms"]] == [each.name for each in forms()]
    for each in printed["forms"]:
        assert each.keys() == FORM_KEYS
        assert each["missing"] is None
        assert each["query_ms"] > 0
        assert (each["tokens_per_second"] is None) == (each["name"] == "int8 numpy")  # which is for questions alone


@pytest.mark.slow
def test_the_report_says_which_tokenizer_is_used(printed: dict[str, Any]) -> None:
    tokenizer = printed["tokenizer"]
    assert tokenizer.keys() == {"used", "agrees", "note"}
    assert tokenizer["used"] == "tokenizer.json"
    assert tokenizer["agrees"] in {True, False, None}
    assert "transformers" in tokenizer["note"]


@pytest.mark.slow
def test_sizes_on_disk_are_those_of_the_files(printed: dict[str, Any], workplace: Path) -> None:
    checkpoint = checkpoint_folder(settings_of(workplace), str(workplace / "model")) / WEIGHTS_FILE
    assert form(printed, "float32")["disk_bytes"] == os.stat(workplace / "model" / "model.safetensors").st_size  # noqa: PTH116
    assert form(printed, "int8")["disk_bytes"] == os.stat(checkpoint).st_size  # noqa: PTH116


@pytest.mark.slow
def test_float32_is_itself_and_int8_is_near_it(printed: dict[str, Any]) -> None:
    itself, near = form(printed, "float32"), form(printed, "int8")
    assert itself["cosine_min"] == pytest.approx(1, abs=1e-9)
    assert itself["times_float32"] == 1
    assert set(itself["kept"].values()) == {1.0}
    assert 0.98 < near["cosine_min"] <= near["cosine_mean"] < 1 - 1e-9


@pytest.mark.slow
def test_ndcg_is_that_of_the_set_which_was_given(printed: dict[str, Any], workplace: Path) -> None:
    for each in printed["forms"]:
        if each["tokens_per_second"] is None:
            assert each["ndcg@10"] == {}
            continue
        assert each["ndcg@10"].keys() == {str(workplace / "tiny-set")}
        assert 0 < each["ndcg@10"][str(workplace / "tiny-set")] <= 1


@pytest.mark.slow
def test_the_weights_of_int8_take_less_memory_than_those_of_float32(printed: dict[str, Any]) -> None:
    weights = {each["name"]: each["weights_bytes"] for each in printed["forms"]}
    assert weights["int8"] < weights["float32"]
    assert weights["int8 numpy"] < weights["quantize_dynamic"] < weights["float32"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone tells a process's peak")
def test_encoding_takes_more_memory_than_being_loaded(printed: dict[str, Any]) -> None:
    apart = form(printed, "int8")
    assert apart["encoding_bytes"] >= apart["loaded_bytes"] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("printed")
def test_the_picture_is_a_png_with_something_on_it(workplace: Path) -> None:
    from matplotlib.image import imread

    assert (workplace / "report.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(workplace / "report.png")
    assert pixels.shape[:2] >= (600, 1000)
    assert pixels[..., :3].std() > 0.05


@pytest.mark.parametrize(
    ("plot", "code", "sentence"),
    [
        ("report.png", EXIT_ERROR, "pip install matplotlib"),
        ("report.pdf", EXIT_USAGE, "give a name that ends in .png"),
        ("missing/report.png", EXIT_USAGE, "there is no folder"),
    ],
)
def test_a_plot_that_cannot_be_made_is_refused_before_anything_is_measured(
    plot: str,
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(model_plot, "find_spec", lambda name: None)
    monkeypatch.setattr(model_report, "measure_model", lambda *_: pytest.fail("it was measured"))
    assert run_command(command, ["model", "report", "--plot", str(tmp_path / plot)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
    assert not (tmp_path / plot).exists()


def test_a_torch_without_quantize_dynamic_leaves_a_sentence_in_its_row(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    encoders, rows = load_forms(settings_of(workplace), str(workplace / "model"))
    missing = {row.name: row.missing for row in rows}
    assert missing.pop("quantize_dynamic") == f"torch {torch.__version__} no longer has quantize_dynamic"
    assert set(missing.values()) == {None}
    assert encoders.keys() == missing.keys()


def test_a_broken_model_is_one_sentence(
    workplace: Path, tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    save_distilbert(tmp_path / "model", tokenizer)
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    assert run_command(command, ["model", "report", "--model", str(tmp_path / "model")]) == EXIT_ERROR
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line for line in captured.err.splitlines() if line.startswith("error: ")] == captured.err.splitlines()[-1:]
    assert "cannot be read as safetensors" in captured.err
    assert not list((tmp_path / "cache").rglob(WEIGHTS_FILE))


def test_distilbert_base_is_265_mb_then_138_and_ours_at_most_68() -> None:
    sizes = {name: round((size or 0) / 1e6) for name, size in architecture_bytes().items()}
    assert ARCHITECTURE == "distilbert-base-uncased"
    assert (sizes["float32"], sizes["quantize_dynamic"]) == (265, 138)
    assert 66 <= sizes["int8"] < 68  # 66.4 million weights of a byte each, and their scales


# Memory and texts


def test_addresses_that_overlap_are_counted_once() -> None:
    assert covered([]) == 0
    assert covered([(10, 20), (0, 5), (15, 30), (16, 17)]) == 25


def test_held_bytes_count_what_two_objects_share_once() -> None:
    array = np.zeros(1000, dtype=np.float32)
    assert held_bytes([{"a": array, "b": [array[:10], torch.from_numpy(array)]}]) == 4000
    assert held_bytes([lambda: array]) == 4000  # a function holds what it closes over


def test_held_bytes_of_a_float_model_are_its_parameters() -> None:
    from transformers import DistilBertConfig, DistilBertModel

    small = DistilBertConfig(vocab_size=50, dim=8, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=20)
    module = DistilBertModel(small)
    tensors = [*module.parameters(), *module.buffers()]
    assert held_bytes([module]) == sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize("tokens", [1, 12, 100])
def test_made_passages_fit_and_differ(tokenizer: Tokenizer, tokens: int) -> None:
    texts = sample_passages(tokenizer, 5, tokens)
    assert texts == sample_passages(tokenizer, 5, tokens)
    assert all(text.strip() for text in texts)
    if tokens > 1:  # one token does not hold a word, and a text is never empty
        assert all(tokenizer.count(text) <= tokens for text in texts)
    if tokens == 100:
        assert len(set(texts)) == 5
