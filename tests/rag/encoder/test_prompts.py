"""What is put before questions and documents: the model's own prompts, or others that a store then remembers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from models import save_distilbert, write_sentence_config

import rag
from ingest.command_line import command as ingest
from rag.commands.command_line import command
from rag.encoder.encoder import load_encoder
from rag.encoder.prompts import OWN_PROMPTS, Prompts
from rag.langchain.embeddings import Int8DistilBertEmbeddings
from sql.base.errors import EXIT_OK, StoreMismatch, UsageError
from sql.base.settings import Settings
from sql.shell.command_line import command as run_sql

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

GIVEN = ["--query-prompt", "one cat: ", "--document-prompt", "the dog: "]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """A model whose own prompts are `a ` and `the `."""
    folder = tmp_path_factory.mktemp("prompts") / "model"
    save_distilbert(folder, tokenizer)
    modules, prompts = ["Transformer", "Pooling", "Normalize"], {"query": "a ", "document": "the "}
    write_sentence_config(folder, modules=modules, pooling="pooling_mode_mean_tokens", prompts=prompts, limit=40)
    return folder


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return Settings(store=".rag", model=None, cache=folder.parent / "cache", offline=True)


@pytest.mark.parametrize(
    ("given", "query", "document"),
    [
        (OWN_PROMPTS, "a ", "the "),
        (Prompts("one: ", "two: "), "one: ", "two: "),
        (Prompts(query=""), "", "the "),
        (Prompts(document="mat "), "a ", "mat "),
    ],
)
def test_prompts_that_are_given_take_the_place_of_the_models_own(
    folder: Path, settings: Settings, given: Prompts, query: str, document: str
) -> None:
    encoder = load_encoder(settings, str(folder), prompts=given)
    assert np.array_equal(encoder.encode_query("cat sat"), encoder.encode([query + "cat sat"])[0])
    assert np.array_equal(encoder.encode_documents(["cat sat"]), encoder.encode([document + "cat sat"]))
    assert encoder.max_document_tokens == 38 - encoder.tokenizer.count(document)
    expected = "" if given == OWN_PROMPTS else json.dumps({"query": query, "document": document})
    assert encoder.identity.prompts == expected


def test_the_models_own_prompts_by_name_are_the_models_own(folder: Path, settings: Settings) -> None:
    own = load_encoder(settings, str(folder))
    assert load_encoder(settings, str(folder), prompts=Prompts("a ", "the ")).identity == own.identity


def test_a_prompt_that_leaves_no_room_is_refused(folder: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"--document-prompt 'cat cat.* takes all of the 38 tokens"):
        load_encoder(settings, str(folder), prompts=Prompts(document="cat " * 38))


def test_a_model_that_leaves_prompts_out_of_its_mean_takes_none(tmp_path: Path, tokenizer: Tokenizer) -> None:
    save_distilbert(tmp_path / "model", tokenizer)
    write_sentence_config(
        tmp_path / "model",
        modules=["Transformer", "Pooling"],
        pooling="pooling_mode_mean_tokens",
        prompts={},
        limit=40,
    )
    path = tmp_path / "model" / "1_Pooling" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"include_prompt": False}))
    own = Settings(store=".rag", model=None, cache=tmp_path / "cache", offline=True)
    assert load_encoder(own, str(tmp_path / "model")).identity.prompts == ""
    with pytest.raises(UsageError, match="include_prompt"):
        load_encoder(own, str(tmp_path / "model"), prompts=Prompts(query="a "))


def test_a_store_remembers_its_prompts_and_refuses_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(folder.parent / "cache"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The cat sat on the mat.\n")
    store = ["--db", str(tmp_path / "store")]
    assert ingest([str(tmp_path / "docs"), *store, "--model", str(folder), *GIVEN, "--json"]) == EXIT_OK
    capsys.readouterr()

    def score(*options: str) -> float:
        command(["search", "cat", *store, "--ranking", "vector", "--json", *options])
        return float(json.loads(capsys.readouterr().out)["hits"][0]["score"])

    assert score() == score(*GIVEN) == score("--query-prompt", "one cat: ")
    with pytest.raises(StoreMismatch, match="leave out --query-prompt and --document-prompt"):
        score("--query-prompt", "two: ")
    with pytest.raises(StoreMismatch, match=r'prompts {"query": "one cat: ", "document": "the dog: "}'):
        ingest([str(tmp_path / "docs"), *store, "--document-prompt", ""])
    capsys.readouterr()
    run_sql(["SELECT prompts FROM collection", *store, "--format", "tsv"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"query": "one cat: ", "document": "the dog: "}
    with rag.open(str(tmp_path / "store")) as library:
        assert library.encoder.config.query_prompt == "one cat: "


@pytest.mark.slow
def test_another_model_has_its_own_prompts_when_documents_are_embedded_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(folder.parent / "cache"))
    (tmp_path / "a.md").write_text("The cat sat on the mat.\n")
    store = ["--db", str(tmp_path / "store")]
    ingest([str(tmp_path / "a.md"), *store, "--model", str(folder), *GIVEN, "--json"])
    ingest(["--reembed", "--model", str(folder), *store, "--query-prompt", "mat ", "--json"])
    capsys.readouterr()
    with rag.open(str(tmp_path / "store")) as library:
        assert (library.encoder.config.query_prompt, library.encoder.config.document_prompt) == ("mat ", "the ")


def test_langchain_takes_prompts_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CACHE", str(folder.parent / "cache"))
    given = Int8DistilBertEmbeddings(str(folder), query_prompt="one: ", few_texts=True)
    assert given.encoder.config.query_prompt == "one: "
    assert given.embed_query("cat") != Int8DistilBertEmbeddings(str(folder), few_texts=True).embed_query("cat")
