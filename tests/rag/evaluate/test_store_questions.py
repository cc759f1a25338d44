"""Questions made from a store: which texts become some, and how a search is held against float32."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import hash_encoder

import ingest
from rag.commands.command_line import command
from rag.evaluate import store_questions
from rag.evaluate.set_evaluation import SetEvaluation
from rag.evaluate.store_questions import defined_in, drawn_documents, evaluate_store
from rag.library import Library
from sql.base.errors import EXIT_USAGE, RagError
from sql.base.terminal import run_command
from sql.search.request import SearchRequest
from sql.store import Store
from sql.store.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> Encoder:
    return hash_encoder(tokenizer)[0]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[Library]:
    """A library of fifteen documents with a heading each, two of which are alike, and one definition."""
    place = tmp_path_factory.mktemp("own")
    folder = place / "docs"
    folder.mkdir()
    for number in range(15):
        name = "The cat and mat" if number < 2 else f"The cat of dog {'abcdefghijklmno'[number]}"
        (folder / f"{number}.md").write_text(f"# {name}\n\nHere runs one {number}.\n")
    (folder / "dog.md").write_text("A dog is a cat that runs.\n")
    store = Store.open(str(place / "store"), write=True)
    with Library(store, lambda: encoder, log=QueryLog(store)) as opened:
        ingest.sync(opened, [folder])
        opened.search("where runs the dog")
        yield opened


def test_a_store_is_asked_what_was_asked_before_what_it_defines_and_what_stands_above_one_text(
    library: Library, encoder: Encoder
) -> None:
    said: list[str] = []
    found = evaluate_store(replace(library, announce=said.append), SearchRequest(), lambda: encoder)
    what = f"{len(found.given.queries)} questions: a float32 model reads {found.chunks} chunks for what is right"
    assert said == [f"{what}, which takes a while"]
    texts = {query.text for query in found.given.queries}
    assert found.kinds == {"logged": 1, "definitions": 1, "headings": len(texts) - 2}
    assert {"where runs the dog", "What is a dog?"} <= texts
    assert "The cat and mat" not in texts  # of two documents: nobody knows which one is meant
    assert len(texts) > 3
    assert {len(grades) for grades in found.given.qrels.values()} == {10}
    again = evaluate_store(library, SearchRequest(), lambda: encoder)
    assert [query.id for query in again.given.queries] == [query.id for query in found.given.queries]


def test_int8_vectors_find_nearly_what_float32_finds(library: Library, encoder: Encoder) -> None:
    found = evaluate_store(library, SearchRequest(), lambda: encoder)
    measured = SetEvaluation(found.given, found.rankings, [])
    modes = measured.record()["modes"]
    assert modes.keys() == {"vector"}
    assert 0.9 < modes["vector"]["recall@10"] <= 1
    assert modes["vector"]["mrr@10"] > 0.9
    assert all(one["ndcg@10"] < 1 for one in measured.worst(5))


def test_of_a_large_store_whole_documents_are_drawn_and_searched_alone(
    library: Library, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = library.store.snapshot().chunks()
    drawn = drawn_documents(rows, 12)
    assert drawn is not None
    assert 1 < len(drawn) < len({document.source for document, _ in rows})
    assert drawn_documents(rows, len(rows)) is None
    monkeypatch.setattr(store_questions, "MOST_CHUNKS", 12)
    found = evaluate_store(library, SearchRequest(), lambda: encoder)
    assert found.chunks <= 12 < found.stored
    ranked = {place for rankings in found.rankings.values() for one in rankings.values() for place in one}
    assert {place.rpartition("#")[0] for place in ranked} <= drawn


def test_a_store_that_suggests_no_question_is_an_error(
    library: Library, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_questions, "QUESTIONS", 0)
    with pytest.raises(RagError, match="the store suggests no question"):
        evaluate_store(library, SearchRequest(), lambda: encoder)


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("A kiln is an oven.", ["What is a kiln?"]),
        ("Glaze oxides are the colours of pottery.", ["What are Glaze oxides?"]),
        ("Ein Brennofen ist ein Ofen.", ["Was ist ein Brennofen?"]),
        ("It is a kiln. This is the end. There are a few.", []),
        ("The kiln, which is an oven, is hot.", []),
        ("1240 is a number.", []),
        ("", []),
    ],
)
def test_a_sentence_that_says_what_something_is_becomes_a_question(text: str, questions: list[str]) -> None:
    assert list(defined_in(text)) == questions


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give a folder with judged queries, or --from-store"),
        (["folder", "--from-store"], "give a folder with judged queries, or --from-store"),
        (["--from-store", "--compare", "fp32"], "leave out --compare"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(command, ["eval", *words]) == EXIT_USAGE
    assert sentence in capsys.readouterr().err
