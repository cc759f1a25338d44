"""The library: what a program gets from `import rag`, on small stores and with an encoder that hashes."""

from __future__ import annotations

import asyncio
import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import PROJECT, hash_encoder, run_python, write_tiny_checkpoint

import ingest
import rag
from ingest.synchronize import sync_walk
from ingest.walk import walk
from rag.library import Library
from sql.base import errors
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer
    from sql.search.search import Step

TEXTS = {
    "cat.md": "# The cat\n\nThe cat sat on the mat.\n",
    "dog.txt": "The dog runs to the cat.\n",
    "one.txt": "One two three.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for name, text in TEXTS.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def library(folder: Path, tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Library]:
    """A library that was filled and is open for reading."""
    encoder, _ = hash_encoder(tokenizer)
    with Library(Store.open(str(tmp_path / "store"), write=True), lambda: encoder) as writable:
        ingest.sync(writable, [folder])
    with Library(Store.open(str(tmp_path / "store")), lambda: encoder) as opened:
        yield opened


# The face


def test_every_public_name_can_be_imported_and_is_where_its_module_says() -> None:
    for module in (rag, ingest):
        for name in module.__all__:
            assert getattr(module, name) is getattr(import_module(getattr(module, name).__module__), name)
            assert name in dir(module)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rag.nothing


def test_importing_the_packages_loads_none_of_their_libraries() -> None:
    program = "import rag, ingest, sql, sys; print([name for name in sys.modules if name.startswith(('numpy', 'chdb', 'torch'))])"
    assert run_python("-c", program).stdout == "[]\n"


def test_a_library_that_is_open_for_reading_says_how_one_that_can_be_filled_is_opened(
    library: Library, folder: Path
) -> None:
    with pytest.raises(
        errors.UsageError, match=r"opened for reading only: use rag\.open\(\.\.\., write=True\) to fill it"
    ):
        ingest.sync(library, [folder])


def test_rag_open_uses_the_model_it_is_told_and_the_store_remembers_it(
    tmp_path: Path, folder: Path, tokenizer: Tokenizer
) -> None:
    model = str(write_tiny_checkpoint(tmp_path / "model", tokenizer))
    with rag.open(str(tmp_path / "store"), write=True, model=model) as library:
        assert ingest.sync(library, str(folder)).indexed == 3
        assert library.encoder.identity.model == "tiny"
    with rag.open(str(tmp_path / "store"), model=model) as library:
        assert [document.source for document in library.documents()] == [str(folder / name) for name in sorted(TEXTS)]


SECOND_QUESTION = """
import sys, threading, rag
with rag.open(sys.argv[1], model=sys.argv[2]) as library:
    kernels = []
    for _ in range(3):
        library.ask("where sat the cat", min_confidence=0.0)
        kernels.append(library.encoder.kernel.name.split()[0])
        for thread in threading.enumerate():
            if thread.name == "kernel for many texts":
                thread.join()
    print(kernels[0], kernels[2])
"""


def test_torch_is_loaded_beside_the_second_question_and_reads_for_the_third(
    tmp_path: Path, folder: Path, tokenizer: Tokenizer
) -> None:
    model = str(write_tiny_checkpoint(tmp_path / "model", tokenizer))
    with rag.open(str(tmp_path / "store"), write=True, model=model) as library:
        ingest.sync(library, str(folder))
    finished = run_python("-c", SECOND_QUESTION, str(tmp_path / "store"), model)
    assert (finished.stdout.split(), finished.stderr) == (["numpy", "torch"], "")


def test_a_store_that_is_not_there_is_an_error_for_a_reader_and_an_empty_one_for_a_writer(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    with pytest.raises(rag.NoStore):
        rag.open(place)
    with rag.open(place, write=True) as library:
        assert library.documents() == []
        with pytest.raises(rag.NoStore, match="is empty: fill it with"):
            library.search("cat", ranking="words")


# Asking and searching


def test_an_answer_quotes_the_files_it_cites(library: Library, folder: Path) -> None:
    answer = library.ask("where sat the cat", k=3, min_confidence=0)  # vectors that are hashes come close to nothing
    assert answer.answered
    for citation in answer.citations:
        with (folder.parent / citation.source).open(newline="") as file:
            assert file.read()[citation.start : citation.end] == citation.text


def test_an_answer_below_the_least_confidence_is_withheld_and_says_how_confident_it_was(library: Library) -> None:
    given = library.ask("where sat the cat", min_confidence=0)
    withheld = library.ask("where sat the cat", min_confidence=1)
    assert (given.answered, withheld.answered, withheld.citations) == (True, False, ())
    assert 0 < given.confidence == withheld.confidence < 1
    for least in (-0.1, 1.5, float("nan")):
        with pytest.raises(rag.UsageError, match="it is a probability, so give a number from 0 to 1"):
            library.ask("where sat the cat", min_confidence=least)


def test_a_search_takes_its_options_by_name_or_as_a_request(library: Library) -> None:
    by_name = library.search("the cat", k=1, ranking="words", filter={"source": {"$like": "%dog%"}})
    request = rag.SearchRequest("the cat", k=1, ranking="words", filter={"source": {"$like": "%dog%"}})
    assert by_name == library.search(request)
    assert [hit.title for hit in by_name] == ["dog"]
    assert library.search(request, filter=None, k=9) == library.search("the cat", k=9, ranking="words")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("  ", {}, "the question is empty"),
    ("x" * 40_000, {}, "more than the 32,000"),
    ("\ud800", {}, "bytes that are not UTF-8"),
    ("cat", {"k": 0}, "k is 0: it must be at least 1"),
    ("cat", {"top": 3}, "top: not all are options of a search, which are k, vector, filter, ranking, strategy"),
    ("cat", {"ranking": "bm25"}, "the ranking 'bm25' is not known: choose one of hybrid, vector, words"),
    ("cat", {"strategy": "fast"}, "the search strategy 'fast' is not known"),
    ("cat", {"language": "xx"}, "the language 'xx' is not known"),
    ("cat", {"per_document": 0}, "0 chunks of one document"),
    ("cat", {"candidates": 0}, "0 candidates"),
    ("cat", {"probes": 0}, "0 probes"),
    ("cat", {"filter": {"$bad": 1}}, "\\$bad"),
]


def test_what_cannot_be_asked_is_refused_before_anything_is_searched(library: Library) -> None:
    for question, options, sentence in REFUSED:
        with pytest.raises(rag.UsageError, match=sentence):
            library.search(question, **options)


def test_words_are_searched_without_an_encoder(folder: Path, library: Library) -> None:
    with Library(library.store) as bare:
        bare.source = lambda: pytest.fail("the encoder was asked for")
        assert [hit.vector_score for hit in bare.search("dog", ranking="words")] == [None]


def test_a_request_goes_down_to_the_statement_unchanged(library: Library) -> None:
    steps: list[Step] = []
    library.search("the cat", k=2, per_document=1, ranking="vector", strategy="exact", watch=steps.append)
    (step,) = steps
    assert step.statement.name == "search_exact_per_document"
    assert (step.statement.values["k"], step.statement.values["per_document"]) == (2, 1)


def test_a_search_at_an_epoch_sees_the_store_as_it_was(library: Library, folder: Path, tmp_path: Path) -> None:
    before = library.store.epoch()
    (folder / "cat.md").unlink()
    encoder = library.encoder
    library.close()
    with Library(Store.open(str(tmp_path / "store"), write=True), lambda: encoder) as writable:
        ingest.sync(writable, [folder])
        assert {hit.title for hit in writable.search("the cat", ranking="words")} == {"dog"}
        assert {hit.title for hit in writable.search("the cat", ranking="words", epoch=before)} == {"dog", "The cat"}


# Threads and asyncio


def test_many_threads_get_the_answers_of_one(library: Library) -> None:
    questions = ["where sat the cat", "the dog runs", "one two three", "the mat"]
    expected = {question: library.ask(question) for question in questions}
    wrong: list[object] = []

    def ask(question: str) -> None:
        try:
            for _ in range(3):
                if library.ask(question) != expected[question]:
                    wrong.append(question)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_encoder_is_loaded_once_however_many_threads_ask_first(library: Library) -> None:
    loaded: list[int] = []
    encoder = library.encoder

    def load() -> Any:
        loaded.append(1)
        return encoder

    fresh = Library(library.store, load)
    threads = [threading.Thread(target=lambda: fresh.encoder) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == [1]


async def test_asynchronous_twins_return_the_same(library: Library) -> None:
    answer, hits, documents, rows, stats = await asyncio.gather(
        library.aask("where sat the cat"),
        library.asearch("the dog", k=2),
        library.adocuments(),
        library.asql("SELECT 1 AS one"),
        library.astats(),
    )
    assert answer == library.ask("where sat the cat")
    assert hits == library.search("the dog", k=2)
    assert documents == library.documents()
    assert rows == [{"one": 1}]
    assert stats.live_rows == 3
    async with library as same:
        assert same is library
    with pytest.raises(rag.StoreError, match="has been closed"):
        library.search("dog", ranking="words")


def events_of(library: Library, **options: Any) -> list[object]:
    with library.ask_stream("where sat the cat", k=3, **options) as stream:
        return list(stream)


async def test_a_stream_of_events_ends_with_the_answer_of_ask(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.answer.answer.DEFAULT_MIN_CONFIDENCE", 0.0)
    answer = library.ask("where sat the cat", k=3)
    first, *tokens, last = events_of(library)
    assert isinstance(first, rag.Passages)
    assert [hit.text for hit in first.hits] == [hit.text for hit in library.search("where sat the cat", k=3)]
    assert "".join(token.text for token in tokens if isinstance(token, rag.Token)) == answer.text
    assert last == rag.Finished(answer)
    assert [event async for event in library.aask_stream("where sat the cat", k=3)] == events_of(library)


def test_the_passages_are_told_before_any_of_their_sentences_is_read(library: Library) -> None:
    kernel = library.encoder.make_kernel()
    before, read = kernel.texts, len(kernel.read)
    with library.ask_stream("where sat the cat", k=3) as stream:
        assert isinstance(next(stream), rag.Passages)
        assert (kernel.texts, len(kernel.read)) == (before + 1, read + 1)  # the question
        list(stream)
    assert len(kernel.read) > read + 1


def test_a_stream_of_what_cannot_be_asked_is_refused_before_it_is_listened_to(library: Library) -> None:
    for options, sentence in (
        ({"k": 0}, "k is 0"),
        ({"llm": "gguf:x"}, "not known"),
        ({"max_tokens": 0}, "at least 1"),
    ):
        with pytest.raises(rag.UsageError, match=sentence):
            library.ask_stream("where sat the cat", **options)  # type: ignore[arg-type]


def test_a_cancelled_stream_has_no_more_events(library: Library) -> None:
    with library.ask_stream("where sat the cat") as stream:
        assert isinstance(next(stream), rag.Passages)
        stream.cancel()
        assert list(stream) == []


def test_every_method_that_waits_has_its_twin() -> None:
    waiting = {
        "ask",
        "ask_stream",
        "follow_up",
        "search",
        "search_many",
        "certified_search",
        "documents",
        "sql",
        "stats",
    }
    assert {name for name in dir(Library) if f"a{name}" in dir(Library)} == waiting


# SQL


def test_sql_binds_parameters_the_epoch_and_the_vector_of_a_text(library: Library) -> None:
    rows = library.sql("SELECT {number:UInt8} + 1 AS two, {epoch:UInt64} AS epoch", {"number": 1})
    assert rows == [{"two": 2, "epoch": library.store.epoch()}]
    assert library.sql("SELECT {epoch:UInt64} AS epoch", {"epoch": 7}) == [{"epoch": 7}]
    (row,) = library.sql("SELECT {query:Array(Float32)} AS vector", query="the cat")
    assert np.allclose(row["vector"], library.encoder.encode_query("the cat"))
    with pytest.raises(rag.UsageError, match="the statement does not have it"):
        library.sql("SELECT 1", query="the cat")


def test_sql_changes_nothing_unless_opened_for_writing(library: Library, tmp_path: Path) -> None:
    with pytest.raises(rag.StoreError, match="read-only"):
        library.sql("DELETE FROM manifest WHERE 1")
    with pytest.raises(rag.UsageError, match="INTO OUTFILE writes a file"):
        library.sql(f"SELECT 1 INTO OUTFILE '{tmp_path / 'out'}'")
    assert len(library.documents()) == 3
    library.close()
    with rag.open(str(tmp_path / "store"), write=True) as writable:
        assert writable.sql("CREATE TABLE notes (note String) ENGINE = Memory") == []
        assert writable.sql("INSERT INTO notes VALUES ('one')") == []
        assert writable.sql("SELECT note FROM notes") == [{"note": "one"}]


# Filling


def test_sync_returns_what_was_done_and_leaves_what_is_unchanged(
    folder: Path, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    encoder, kernel = hash_encoder(tokenizer)
    with Library(Store.open(str(tmp_path / "store"), write=True), lambda: encoder) as library:
        assert ingest.sync(library, [folder]).indexed == 3
        embedded = kernel.texts
        (folder / "one.txt").unlink()
        again = ingest.sync(library, [folder])
        assert (again.files, again.indexed, again.unchanged, again.deleted) == (2, 0, 2, 1)
        assert kernel.texts == embedded
        with pytest.raises(rag.RagError, match="nothing was changed, give a file or folder that can be read"):
            ingest.sync(library, [tmp_path / "nowhere"])


def test_questions_are_encoded_by_the_encoder_that_filled_the_store(
    folder: Path, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    model = str(write_tiny_checkpoint(tmp_path / "model", tokenizer))
    with rag.open(str(tmp_path / "store"), write=True, model=model) as library:
        ingest.sync(library, [folder])
        assert library.encoder is library.document_encoder()


# Errors


def error_classes() -> list[type[errors.RagError]]:
    import rag.evaluate.beir  # noqa: F401 - defines one of its own

    found, waiting = [], [errors.RagError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return list(dict.fromkeys(found))


def test_every_kind_of_error_has_a_code_of_its_own_that_the_page_lists() -> None:
    codes = {one.__name__: one.__dict__.get("code") for one in error_classes()}
    assert None not in codes.values(), codes
    assert len(set(codes.values())) == len(codes)
    page = (PROJECT / "docs" / "library.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z-]+) \| (\w+) \|", page, re.MULTILINE))
    assert {name: code for code, name in listed.items() if name in codes} == codes


def test_the_page_lists_the_fields_of_a_request_and_the_arguments_of_open() -> None:
    import inspect

    page = (PROJECT / "docs" / "library.md").read_text(encoding="utf-8")
    named = {name for names in re.findall(r"^\| ([a-z_, ]+) \|", page, re.MULTILINE) for name in names.split(", ")}
    assert set(rag.SearchRequest.__slots__) - {"condition"} <= named
    assert set(inspect.signature(rag.open).parameters) <= named


def test_a_walk_that_is_prepared_can_be_synchronized_by_itself(library: Library, folder: Path, tmp_path: Path) -> None:
    encoder = library.encoder
    library.close()
    with Library(Store.open(str(tmp_path / "store"), write=True), lambda: encoder) as writable:
        assert sync_walk(writable, walk([str(folder)])).unchanged == 3
