"""How a tokenizer fits a language: counted by hand, and told by the doctor for the languages of a store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from models import byte_tokenizer, metaspace_tokenizer, mpnet_tokenizer, save_distilbert

from ingest.command_line import command as ingest
from rag.commands.command_line import command
from rag.text.fit import Fit, tokenizer_fit
from sql.base.errors import EXIT_OK

if TYPE_CHECKING:
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer


def test_pieces_and_unknown_ones_are_counted_by_word_and_not_by_mark(tokenizer: Tokenizer) -> None:
    # cat, the and dog are a token each, bird is four, and a word with ж is unknown as a whole.
    assert tokenizer_fit("en", ["The cat, the dog: bird!", "cat - жук."], tokenizer) == Fit("en", 2, 7, 10 / 7, 1 / 10)
    assert tokenizer_fit("en", ["... 。"], tokenizer) is None


def test_where_no_spaces_divide_words_each_character_is_one(tokenizer: Tokenizer) -> None:
    fit = tokenizer_fit("ja", ["猫あい"], tokenizer)
    assert fit is not None
    assert (fit.words, fit.pieces_per_word) == (3, 1.0)


@pytest.mark.parametrize(
    ("pieces", "unknown", "grade"), [(1.1, 0.0, "well"), (1.8, 0.0, "moderately"), (2.2, 0.0, "badly")]
)
def test_more_pieces_fit_worse(pieces: float, unknown: float, grade: str) -> None:
    assert Fit("de", 1, 1, pieces, unknown).grade == grade
    assert Fit("de", 1, 1, pieces, 0.1).grade == "badly"


def test_what_is_unknown_is_known_of_every_kind_of_tokenizer(default_tokenizer: Tokenizer) -> None:
    assert default_tokenizer.unknown_id == 100
    assert metaspace_tokenizer().unknown_id == 3
    assert mpnet_tokenizer().unknown_id == 3
    assert byte_tokenizer().unknown_id is None  # it knows every byte


def test_the_doctor_judges_the_tokenizer_by_the_languages_of_the_store(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    save_distilbert(tmp_path / "model", tokenizer)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "english.md").write_text("The cat sat and the dog runs to the cat on a mat here.\n")
    (tmp_path / "docs" / "deutsch.md").write_text("Der Hund ist mit der Katze in den Garten gegangen und schläft.\n")
    store = ["--db", str(tmp_path / "store"), "--model", str(tmp_path / "model")]
    assert ingest([str(tmp_path / "docs"), *store, "--json"]) == EXIT_OK
    capsys.readouterr()
    assert command(["doctor", *store[:2], "--json"]) == EXIT_OK
    found = json.loads(capsys.readouterr().out)["tokenizer"]
    fits = {row["language"]: row for row in found["languages"]}
    assert fits["en"]["fits"] == "well"
    assert fits["de"]["fits"] == "badly"
    assert fits["de"]["pieces_per_word"] > 3
    assert "The model was probably not made for de: a multilingual one will find more" in found["sentence"]
    command(["doctor", *store[:2]])
    assert "en: 1." in capsys.readouterr().out
    command(["doctor", "--db", str(tmp_path / "none"), "--json"])
    assert json.loads(capsys.readouterr().out)["tokenizer"] == {
        "sentence": "no stored texts to look at",
        "languages": [],
    }
