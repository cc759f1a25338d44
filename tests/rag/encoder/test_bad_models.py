"""A model that is damaged, foreign or nonsense, or a text beyond measure: one sentence, and nothing is written anywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from models import llama, save_bert, save_distilbert, save_language_model
from safetensors.numpy import load_file, save_file
from support import write_tiny_checkpoint

from ingest.command_line import command as ingest_command
from rag.commands.command_line import command as rag_command
from rag.encoder.checkpoint import Checkpoint, read_checkpoint, read_header
from rag.encoder.convert import quantize_model
from rag.encoder.distilbert import float_shapes
from rag.encoder.weights import FloatModel
from rag.retrieve.questions import LONGEST_QUESTION
from sql.base.errors import ModelError
from sql.base.terminal import run_command

if TYPE_CHECKING:
    from rag.text.tokenizer import Tokenizer

Change = Callable[[Path], None]
COMMANDS = {"rag": rag_command, "ingest": ingest_command}
UP, WORDS = "transformer.layer.1.ffn.lin1.weight", "embeddings.word_embeddings.weight"
MISSING = object()


class Desk:
    """A working directory with a document, a cache of its own, and commands run in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.cache = folder / "cache"
        (folder / "kiln.md").write_text("The kiln is fired at 1240 degrees.\n")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        room, *rest = arguments
        return run_command(COMMANDS[room], rest), *self.capsys.readouterr()

    def files(self) -> set[str]:
        """Every file of the store and the cache."""
        folders = [self.folder / ".rag", self.cache]
        return {str(path) for folder in folders for path in folder.rglob("*") if path.is_file()}

    def refuses(self, message: str, *arguments: str) -> None:
        """A command fails with a sentence that holds `message`, prints no data and leaves no file behind."""
        before = self.files()
        code, printed, complaint = self.run(*arguments)
        lines = [line for line in complaint.splitlines() if not line.startswith("quantizing ")]
        assert code in {1, 2}, complaint
        assert printed == ""
        assert len(lines) == 1, complaint
        assert lines[0].startswith("error: ")
        assert message in lines[0]
        assert len(lines[0]) < 700
        assert self.files() == before


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    for name in ("RAG_DB", "RAG_MODEL", "RAG_LLM", "RAG_LLM_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return Desk(tmp_path, capsys)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> dict[str, Path]:
    """A sound DistilBERT, a sound BERT, a sound language model and a sound int8 checkpoint, to be spoilt in copies."""
    folder = tmp_path_factory.mktemp("saved")
    for name, save in (("distilbert", save_distilbert), ("bert", save_bert)):
        save(folder / name, tokenizer)
    save_language_model(llama(), folder / "llama")
    write_tiny_checkpoint(folder / "int8", tokenizer)
    return {path.name: path for path in folder.iterdir()}


def spoil(saved: Path, desk: Desk, change: Change) -> Path:
    folder = desk.folder / "model"
    shutil.copytree(saved, folder)
    change(folder)
    return folder


# Ways to spoil a model


def config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        content = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in content.items() if value is not MISSING}))

    return change


def file(name: str, content: str | bytes) -> Change:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def cut(name: str, kept: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:kept]) and None


def tensors(edit: Callable[[dict[str, Any]], object]) -> Change:
    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        edit(held)
        save_file(held, folder / "model.safetensors")

    return change


def tensor(name: str, edit: Callable[[Any], Any]) -> Change:
    return tensors(lambda held: held.update({name: np.ascontiguousarray(edit(held[name]))}))


def vocabulary(**words: int) -> Change:
    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        content["model"]["vocab"] |= words
        path.write_text(json.dumps(content))

    return change


def header(**changes: Any) -> Change:
    """Another config in the header of an int8 checkpoint, or with `metadata` another header."""

    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        metadata = read_header(path)
        if "metadata" in changes:
            metadata |= changes["metadata"]
        else:
            metadata["config"] = json.dumps(json.loads(metadata["config"]) | changes)
        save_file(load_file(path), path, metadata=metadata)

    return change


FLOAT_MODELS: dict[str, tuple[Change, str]] = {
    **{
        f"{name} is {value!r:.20}": (config(**{name: value}), f"{said} is {value!r:.20}")
        for name, said, values in [
            ("dim", "dimensions", ["wide", -48, 0, None, 10**9, 1.5, [], {}, True]),
            ("n_heads", "heads", [0, -1, "x", None, 48.0]),
            ("n_layers", "layers", [0, -1, 10**9, "x", None]),
            ("hidden_dim", "hidden_dimensions", [0, -1, "x", 10**12]),
            ("vocab_size", "vocabulary", [0, -1, "x", 10**9]),
            ("max_position_embeddings", "positions", [0, -1, "x", 10**9]),
        ]
        for value in values
    },
    "dim is not there": (config(dim=MISSING), "dimensions is None"),
    "heads that do not divide": (config(n_heads=5), "cannot be split over 5 heads"),
    "dimensions that the weights do not have": (
        config(dim=96),
        "have the shape (240, 48), config.json wants (240, 96)",
    ),
    "fewer layers than weights": (config(n_layers=2), "has weights of more than the 2 layers"),
    "more layers than weights": (config(n_layers=4), "lacks the weights transformer.layer.3"),
    "another vocabulary": (config(vocab_size=241), "have the shape (240, 48), config.json wants (241, 48)"),
    "another type": (config(model_type="electra"), "is a model of type electra"),
    "a type that is a number": (config(model_type=5), "is a model of type 5"),
    "a type that is a list": (config(model_type=[]), "is a model of type []"),
    "a BERT that is none": (config(model_type="bert"), "is None"),
    "another activation": (config(activation=["gelu"]), "only gelu can be used"),
    "an empty config": (file("config.json", ""), "cannot be read as JSON"),
    "a config of zeros": (file("config.json", b"\x00" * 30), "cannot be read as JSON"),
    "a config that is no UTF-8": (file("config.json", b"\xff\xfe{}"), "cannot be read as JSON"),
    "a config of great depth": (file("config.json", "[" * 100_000), "cannot be read as JSON"),
    "a config that is a list": (file("config.json", "[]"), "does not hold a JSON object"),
    "modules that are an object": (file("modules.json", "{}"), "is not a list of modules"),
    "modules that are numbers": (file("modules.json", "[1]"), "is not a list of modules"),
    "modules without a type": (file("modules.json", "[{}]"), "is not a list of modules"),
    "prompts that are a number": (file("config_sentence_transformers.json", '{"prompts": 5}'), "are not a JSON object"),
    "a prompt that is a number": (
        file("config_sentence_transformers.json", '{"prompts": {"query": 5}}'),
        "query_prompt is 5",
    ),
    "a prompt without an end": (
        file("config_sentence_transformers.json", json.dumps({"prompts": {"query": "the " * 400}})),
        "take all of them",
    ),
    "a limit that is a word": (file("sentence_bert_config.json", '{"max_seq_length": "x"}'), "max_seq_length is 'x'"),
    "a limit below zero": (file("sentence_bert_config.json", '{"max_seq_length": -5}'), "max_seq_length is -5"),
    "a limit of two tokens": (file("sentence_bert_config.json", '{"max_seq_length": 2}'), "reads 2 tokens"),
    "a pooling of nothing": (file("1_Pooling/config.json", "{}"), "pools by []"),
    "a pooling that is a list": (file("1_Pooling/config.json", "[]"), "does not hold a JSON object"),
    **{f"weights cut at {kept}": (cut("model.safetensors", kept), "as safetensors") for kept in (0, 5, 100, 5000, -1)},
    "weights of something else": (
        tensors(lambda t: (t.clear(), t.update(a=np.zeros(3)))),
        f"lacks the weights {WORDS}",
    ),
    "a weight that is gone": (tensors(lambda t: t.pop(UP)), f"lacks the weights {UP}"),
    "a weight with fewer rows": (tensor(UP, lambda t: t[:50]), "(50, 48), config.json wants (96, 48)"),
    "a weight on its side": (tensor(UP, lambda t: t.T), "(48, 96), config.json wants (96, 48)"),
    "a flat weight": (tensor(UP, np.ravel), "(4608,), config.json wants (96, 48)"),
    "int8 weights": (tensor(UP, lambda t: (t * 100).astype(np.int8)), "are int8 and not floats"),
    "int64 weights": (tensor(WORDS, lambda t: t.astype(np.int64)), "are int64 and not floats"),
    "boolean weights": (tensor(UP, lambda t: t > 0), "are bool and not floats"),
    "weights beyond float32": (tensor(UP, lambda t: t.astype(np.float64) * 1e300), "not finite"),
    "weights that overflow": (tensor(UP, lambda t: t * 1e30), "so large that it computes numbers that are not finite"),
    "NaN words": (tensor(WORDS, lambda t: t * np.nan), "not finite"),
    "a short norm": (tensor("embeddings.LayerNorm.weight", lambda t: t[:5]), "(5,), config.json wants (48,)"),
    "a NaN norm": (tensor("embeddings.LayerNorm.bias", lambda t: t * np.nan), "not finite"),
    "a truncated tokenizer": (cut("tokenizer.json", 500), "tokenizer.json of"),
    "an empty tokenizer": (file("tokenizer.json", ""), "tokenizer.json of"),
    "a tokenizer that is null": (file("tokenizer.json", "null"), "tokenizer.json of"),
    "a tokenizer without a token": (
        file("tokenizer.json", '{"model": {"type": "BPE", "vocab": {}, "merges": []}}'),
        "go up to nothing",
    ),
    "a tokenizer of more tokens": (vocabulary(**{f"word{n}": 240 + n for n in range(99)}), "go up to 338"),
    "a tokenizer with a token far off": (vocabulary(the=100_000), "go up to 100000"),
}


@pytest.mark.parametrize("case", FLOAT_MODELS)
def test_a_float_model_that_is_wrong_is_one_sentence_and_no_checkpoint(
    desk: Desk, saved: dict[str, Path], case: str
) -> None:
    change, message = FLOAT_MODELS[case]
    folder = spoil(saved["distilbert"], desk, change)
    desk.refuses(message, "rag", "model", "path", "--model", str(folder))


BERTS: dict[str, tuple[Change, str]] = {
    "a layer count of text": (config(num_hidden_layers="3"), "layers is '3'"),
    "no heads": (config(num_attention_heads=0), "heads is 0"),
    "an epsilon of text": (config(layer_norm_eps="small"), "layer_norm_eps is 'small'"),
    "an epsilon below zero": (config(layer_norm_eps=-1), "layer_norm_eps is -1"),
    "positions of another kind": (config(position_embedding_type={"a": 1}), "only absolute ones"),
    "no positions": (tensors(lambda t: t.pop("embeddings.position_embeddings.weight")), "lacks the weights"),
    "a type row of another width": (
        tensor("embeddings.token_type_embeddings.weight", lambda t: t[:, :5]),
        "token_type_embeddings",
    ),
    "no type rows": (tensor("embeddings.token_type_embeddings.weight", lambda t: t[:0]), "token_type_embeddings"),
    "a type of NaN": (tensor("embeddings.token_type_embeddings.weight", lambda t: t * np.nan), "not finite"),
}


@pytest.mark.parametrize("case", BERTS)
def test_a_bert_that_is_wrong_is_one_sentence_and_no_checkpoint(desk: Desk, saved: dict[str, Path], case: str) -> None:
    change, message = BERTS[case]
    folder = spoil(saved["bert"], desk, change)
    desk.refuses(message, "rag", "model", "path", "--model", str(folder))


@pytest.mark.parametrize("case", ["dim is 'wide'", "weights cut at -1", "NaN words", "a tokenizer of more tokens"])
def test_a_wrong_model_leaves_a_store_as_it_was(desk: Desk, saved: dict[str, Path], case: str) -> None:
    change, message = FLOAT_MODELS[case]
    folder = spoil(saved["distilbert"], desk, change)
    desk.refuses(message, "ingest", "kiln.md", "--model", str(folder), "--db", "new")
    # A store may have been opened for it; no table of it holds a row.
    assert not list((desk.folder / "new").rglob("data.bin"))


INT8_MODELS: dict[str, tuple[Change, str]] = {
    **{f"cut at {kept}": (cut("model.safetensors", kept), "") for kept in (0, 7, 100, 3000, -1)},
    "another format": (header(metadata={"format": "int8-rag encoder 99"}), ""),
    "another tokenizer": (vocabulary(cat=9), "is not the tokenizer of"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "is not a complete int8 checkpoint"),
    "a tensor less": (header(metadata={"tensors_sha256": "0" * 64}), "has been changed"),
    "another config": (header(heads=4), "has been changed"),
    **{
        f"a config with {name} {value!r}": (
            lambda folder, name=name, value=value: (header(**{name: value})(folder), forget_digest(folder))[0],
            message,
        )
        for name, value, message in [
            ("heads", 0, "heads is 0"),
            ("heads", "x", "heads is 'x'"),
            ("layers", 10**9, "layers is 1000000000"),
            ("layers", 2, "layer.1"),
            ("dimensions", 16, "should be int8"),
            ("dimensions", -8, "dimensions is -8"),
            ("vocabulary", 5, "should be int8"),
            ("pooling", "max", "pooling 'max'"),
            ("pooling", None, "pooling None"),
            ("max_tokens", 10**6, "do not fit its 256 positions"),
            ("query_prompt", 5, "query_prompt is 5"),
            ("nonsense", 5, "is not a complete int8 checkpoint"),
        ]
    },
}


def forget_digest(folder: Path) -> None:
    """Takes the digest of the config out of the header, as someone would who changes the config on purpose."""
    path = folder / "model.safetensors"
    metadata = {name: value for name, value in read_header(path).items() if name != "config_sha256"}
    save_file(load_file(path), path, metadata=metadata)


@pytest.mark.parametrize("case", INT8_MODELS)
def test_an_int8_checkpoint_that_is_wrong_is_one_sentence(desk: Desk, saved: dict[str, Path], case: str) -> None:
    change, message = INT8_MODELS[case]
    folder = spoil(saved["int8"], desk, change)
    desk.refuses(message, "ingest", "kiln.md", "--model", str(folder), "--db", "new")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_checkpoint_with_scales_that_are_not_finite_cannot_be_made(saved: dict[str, Path], value: float) -> None:
    checkpoint = read_checkpoint(saved["int8"])
    scale = checkpoint.tensors["layer.0.up.scale"].copy()
    scale[3] = value
    with pytest.raises(ModelError, match="not finite"):
        Checkpoint(checkpoint.config, checkpoint.tensors | {"layer.0.up.scale": scale})


def test_a_question_to_a_store_of_other_dimensions_is_refused(desk: Desk, saved: dict[str, Path]) -> None:
    assert desk.run("ingest", "kiln.md", "--model", str(saved["int8"]))[0] == 0
    assert desk.run("rag", "model", "path", "--model", str(saved["distilbert"]))[0] == 0  # so that it is in the cache
    for arguments in (["rag", "ask", "how hot?"], ["rag", "search", "how hot?"], ["ingest", "kiln.md"]):
        desk.refuses("dimensions", *arguments, "--model", str(saved["distilbert"]))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with a store, made by the default model, and the cache with its checkpoint."""
    folder = tmp_path_factory.mktemp("indexed")
    shutil.copytree(model_cache, folder / "cache")  # one of its own, whose files are compared
    (folder / "kiln.md").write_text("The kiln is fired at 1240 degrees.\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RAG_CACHE", str(folder / "cache"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        assert run_command(ingest_command, ["kiln.md", "--db", ".rag"]) == 0
    return folder


LANGUAGE_MODELS: dict[str, tuple[Change, str]] = {
    "truncated weights": (cut("model.safetensors", 1000), "cannot be read as safetensors"),
    "NaN weights": (tensor("lm_head.weight", lambda t: t * np.nan), "only finite numbers"),
    "another architecture": (config(model_type="distilbert"), "config.json"),
    "no heads": (config(num_attention_heads=0), "config.json"),
    "another dimension": (config(hidden_size=32), "config.json wants"),
    "a truncated tokenizer": (cut("tokenizer.json", 300), "tokenizer"),
    "a config of nothing": (file("config.json", ""), "cannot be read as JSON"),
}


EVERY_DAY = ("NaN weights", "another dimension")


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=() if one in EVERY_DAY else pytest.mark.slow) for one in LANGUAGE_MODELS],
)
def test_a_language_model_that_is_wrong_is_one_sentence(
    desk: Desk, saved: dict[str, Path], indexed: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.cache = indexed / "cache"
    monkeypatch.setenv("RAG_CACHE", str(desk.cache))
    monkeypatch.setenv("RAG_DB", str(indexed / ".rag"))
    change, message = LANGUAGE_MODELS[case]
    folder = spoil(saved["llama"], desk, change)
    desk.refuses(message, "rag", "ask", "At how many degrees is the kiln fired?", "--llm", f"hf:{folder}")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Path]) -> Path:
    """A store of one document, made by the small int8 checkpoint."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "kiln.md").write_text("The kiln is fired at 1240 degrees.\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command(ingest_command, ["kiln.md", "--model", str(saved["int8"]), "--db", ".rag"]) == 0
    return folder / ".rag"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "the question is empty"),
        (" \n\t ", "the question is empty"),
        ("the " * 12_500_000, "has 50,000,000 characters"),
        ("x" * 10_000_000, "has 10,000,000 characters"),
        ("a" * (LONGEST_QUESTION + 1), "can be asked: shorten it"),
        ("why \udcff?", "bytes that are not UTF-8"),
        ("why? " * 300, "is longer than the 256"),
    ],
    ids=["empty", "blank", "50 MB", "one word of 10 MB", "one too many", "no UTF-8", "too many tokens"],
)
def test_a_question_beyond_measure_is_one_sentence_at_once(
    desk: Desk, saved: dict[str, Path], small: Path, question: str, message: str
) -> None:
    for command in ("ask", "search"):
        desk.refuses(message, "rag", command, question, "--model", str(saved["int8"]), "--db", str(small))


def test_a_document_of_one_enormous_word_is_indexed_in_pieces(desk: Desk, saved: dict[str, Path]) -> None:
    (desk.folder / "word.md").write_text("x" * 200_000)
    code, printed, complaint = desk.run("ingest", "word.md", "--model", str(saved["int8"]), "--json")
    assert code == 0, complaint
    summary = json.loads(printed)
    assert (summary["indexed"], summary["failed"]) == (1, [])
    assert summary["chunks"] > 10


def test_every_weight_of_a_sound_model_has_the_shape_that_is_expected(saved: dict[str, Path]) -> None:
    checkpoint, _ = quantize_model(FloatModel("sound", "", saved["distilbert"]))
    held = load_file(saved["distilbert"] / "model.safetensors")
    shapes = float_shapes(checkpoint.config)
    assert shapes == {name: each.shape for name, each in held.items() if name in shapes}
    assert set(held) == set(shapes)
