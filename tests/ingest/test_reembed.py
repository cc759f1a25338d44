"""Embedding a store again with another model: the old one serves until the new one is whole, wherever a run is killed."""

from __future__ import annotations

import json
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from commands_here import run_main
from migration_worker import CHANGES, stop_before
from support import PROJECT, prepared, publish_document, retrieve, run_python, search, write_tiny_checkpoint

from ingest import reembed as module
from ingest.reembed import Reembedding, reembed
from ingest.synchronize import sync_walk
from ingest.walk import walk
from rag.encoder.encoder import load_encoder
from rag.evaluate.doctor import describe_word_vectors
from rag.index.word_vectors import add_word_vectors
from rag.int8.quantization import quantize_query
from sql.base.errors import RagError, StoreBusy, UsageError
from sql.base.settings import Settings
from sql.engine.client import Client
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

WORKER = """
import os, signal, sys
from migration_worker import stop_before
from ingest.reembed import reembed
from sql.base.settings import read_settings
stop_before(int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL))
reembed(read_settings(), sys.argv[2], sys.argv[1])
"""


class Stopped(BaseException):
    """A run that was stopped on purpose."""


class Place:
    """Two models of 8 and 12 dimensions, three documents, and a store that the first model has filled."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.folder, self.store, self.next = folder, folder / "store", folder / "store.next"
        self.settings = Settings(store="", model=None, cache=folder / "cache", offline=True, compute="fp32")
        self.small = str(write_tiny_checkpoint(folder / "small", tokenizer))
        self.large = str(write_tiny_checkpoint(folder / "large", tokenizer, dimensions=12, model_sha256="c" * 64))
        self.short = str(write_tiny_checkpoint(folder / "short", tokenizer, max_tokens=4))
        (folder / "docs").mkdir()
        for name, text in {
            "cats.md": "# Cats\n\nthe cat sat on the mat",
            "dogs.txt": "a dog runs here",
            "page.html": "<html><body><p>one two three</p></body></html>",
        }.items():
            (folder / "docs" / name).write_text(text)
        with Store.open(str(self.store), write=True) as store:
            library = prepared(store, self.settings, self.small, "en")
            sync_walk(library, walk([str(folder / "docs")]))

    def run(self, model: str | None = None, **named: object) -> Reembedding:
        return reembed(self.settings, model or self.large, str(self.store), **named)  # type: ignore[arg-type]

    def documents(self, store: Path | None = None) -> dict[str, tuple[int, int]]:
        with Store.open(str(store or self.store)) as opened:
            return {one.source: (one.generation, one.chunk_count) for one in opened.snapshot().documents()}

    def dimensions(self, store: Path | None = None) -> int:
        with Store.open(str(store or self.store)) as opened:
            collection = opened.collection()
            assert collection is not None
            return collection.encoder.dimensions

    def found(
        self, model: str, store: Path | None = None, ranking: str = "vector"
    ) -> list[tuple[str, int, int, str, float]]:
        with Store.open(str(store or self.store)) as opened:
            encoder = load_encoder(self.settings, model)
            hits = retrieve(opened, "the cat", 9, encoder, ranking=ranking, vector=encoder.encode_query("the cat"))
            return [(hit.source, hit.start, hit.end, hit.text, hit.score) for hit in hits]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Place:
    return Place(tmp_path_factory.mktemp("reembed"), tokenizer)


@pytest.fixture
def place(written: Place, tmp_path: Path) -> Place:
    """A copy of the store; the models and documents are shared."""
    copy = Place.__new__(Place)
    copy.__dict__ |= written.__dict__ | {"store": tmp_path / "store", "next": tmp_path / "store.next"}
    shutil.copytree(written.store, copy.store, symlinks=True)
    return copy


def test_every_document_is_embedded_by_the_new_model_under_its_own_generation(place: Place) -> None:
    before = place.documents()
    done = place.run()
    assert (done.documents, done.chunks, done.switched) == (3, 3, True)
    assert place.documents() == before
    assert place.dimensions() == 12
    assert not place.next.exists()
    with Store.open(str(place.store)) as store:
        assert store.snapshot().damaged_documents() == []


def test_hits_and_scores_are_those_of_a_store_that_was_ingested_with_the_new_model(
    place: Place, tmp_path: Path
) -> None:
    place.run()
    with Store.open(str(tmp_path / "fresh"), write=True) as store:
        library = prepared(store, place.settings, place.large, "en")
        sync_walk(library, walk([str(place.folder / "docs")]))
    for ranking in ("vector", "words", "hybrid"):
        assert place.found(place.large, ranking=ranking) == place.found(place.large, tmp_path / "fresh", ranking)


@pytest.mark.slow
def test_the_model_of_the_store_finds_the_rounding_errors_that_an_older_version_did_not_keep(place: Place) -> None:
    assert not place.run(place.small).switched  # nothing is missing
    with Store.open(str(place.store), write=True) as store:
        store.client.text("ALTER TABLE chunks UPDATE error = inf WHERE source LIKE '%a%'", None)
    assert place.run(place.small).switched
    with Store.open(str(place.store)) as store:
        assert store.client.text("SELECT countIf(isFinite(error)) = count() FROM chunks", "TSV") == b"1\n"


@pytest.mark.slow
def test_vectors_of_words_are_those_of_the_new_model(place: Place) -> None:
    with Store.open(str(place.store), write=True) as store:
        add_word_vectors(store, load_encoder(place.settings, place.small), begin=True)
    place.run()
    with Store.open(str(place.store)) as store:
        lengths = "SELECT count() > 0, uniqExact(length(codes)), any(length(codes)) FROM word_vectors"
        assert store.client.text(lengths, "TSV") == b"1\t1\t12\n"
        assert "damaged" not in describe_word_vectors(store)
        found = store.client.text("SELECT source FROM rag_text_search(question = 'the cat') LIMIT 1", "TSV")
        assert found.strip().endswith(b"cats.md")


@pytest.mark.slow
def test_chunks_whose_floats_are_kept_keep_those_of_the_new_model(place: Place, tmp_path: Path) -> None:
    places = "SELECT generation, chunk_index, length(vector) FROM float_references ORDER BY ALL"
    place.store = tmp_path / "with floats"
    with Store.open(str(place.store), write=True) as store:
        library = prepared(store, place.settings, place.small, "en")
        sync_walk(library, walk([str(place.folder / "docs")]), keep_floats=1)
        before = store.client.text(places, "TSV").split()
    place.run()
    with Store.open(str(place.store)) as store:
        after = store.client.text(places, "TSV").split()
    assert len(before) == 9
    assert after == [b"12" if number % 3 == 2 else value for number, value in enumerate(before)]


@pytest.mark.slow
def test_a_document_whose_file_is_gone_is_embedded_from_its_stored_text(place: Place, tokenizer: Tokenizer) -> None:
    with Store.open(str(place.store), write=True) as store:
        publish_document(store, "never a file", ["the mat", "a mat"])
    assert place.run().documents == 4
    assert "never a file" in place.documents()


@pytest.mark.slow
def test_the_store_goes_on_taking_documents_after_the_switch(place: Place) -> None:
    place.run()
    with Store.open(str(place.store), write=True) as store:
        library = prepared(store, place.settings, place.large, "en")
        summary = sync_walk(library, walk([str(place.folder / "docs")]))
        assert (summary.unchanged, summary.indexed) == (3, 0)


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do(place: Place) -> None:
    place.run()
    assert place.run().documents == 0
    assert place.dimensions() == 12


@pytest.mark.slow  # on a server it is an everyday test
def test_another_place_is_filled_and_the_store_left_alone(place: Place, tmp_path: Path) -> None:
    before = place.found(place.small)
    done = place.run(into=str(tmp_path / "other"))
    assert (done.switched, done.documents) == (False, 3)
    assert place.found(place.small) == before
    assert place.dimensions(tmp_path / "other") == 12
    assert place.run(into=str(tmp_path / "other")).documents == 0


@pytest.mark.slow
def test_shared_ranges_are_fitted_anew(place: Place) -> None:
    place.run(quantizer={"granularity": "dimension"})
    with Store.open(str(place.store)) as store:
        calibration = store.snapshot(store.epoch()).calibration()
        assert calibration is not None
        assert len(calibration.scale) == 12
        assert search(store, quantize_query(calibration.scale), 3)


@pytest.mark.slow
def test_codes_of_another_width_are_made_with_the_model_that_the_store_has(place: Place) -> None:
    before, hits = place.documents(), place.found(place.small)
    assert place.run(place.small, quantizer={"bits": 4}).switched
    with Store.open(str(place.store)) as store:
        collection = store.collection()
        assert collection is not None
        assert collection.quantizer == "asymmetric int4 per vector, mse ranges"
        assert store.client.text("SELECT DISTINCT length(code_pairs) FROM chunks", "TSV") == b"4\n"
        assert store.snapshot().damaged_documents() == []
    assert place.documents() == before
    assert {hit[:4] for hit in place.found(place.small)} == {hit[:4] for hit in hits}
    for asked in ({"bits": 4}, {}):  # both are what it has
        assert not place.run(place.small, quantizer=asked).switched


@pytest.mark.slow
def test_a_copy_that_was_begun_with_other_codes_is_not_gone_on_with(place: Place, tmp_path: Path) -> None:
    place.run(place.small, into=str(tmp_path / "other"), quantizer={"bits": 4})
    with pytest.raises(UsageError, match="as asymmetric int4 per vector, mse ranges codes: finish that with"):
        place.run(place.small, into=str(tmp_path / "other"))


def test_what_is_written_meanwhile_is_not_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []
    original = module.Reembedder.copy_missing

    def meddle(self: module.Reembedder) -> int:
        copied = original(self)
        if not rounds:
            with Store.open(str(place.store), write=True) as store:
                publish_document(store, "late", ["the late dog"])
                store.writer.publish(
                    [], [one for one in store.snapshot().documents() if one.source.endswith("dogs.txt")]
                )
        rounds.append(copied)
        return copied

    monkeypatch.setattr(module.Reembedder, "copy_missing", meddle)
    place.run()
    assert rounds[:3] == [3, 2, 0]
    assert {name.rsplit("/", 1)[-1] for name in place.documents()} == {"cats.md", "page.html", "late"}
    assert place.dimensions() == 12


@pytest.mark.slow
def test_questions_are_answered_from_the_old_vectors_until_the_new_ones_are_whole(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, answers = place.found(place.small), []
    copy, change_places = module.Reembedder.copy, module.Reembedder.change_places

    def ask_and_copy(self: module.Reembedder, rows: list[dict[str, object]]) -> None:
        answers.append(place.found(place.small))
        copy(self, rows)

    def ask_and_change(self: module.Reembedder) -> None:
        answers.append(place.found(place.small))
        change_places(self)

    monkeypatch.setattr("sql.store.rows.ROWS_AT_ONCE", 1)  # a batch for each document
    monkeypatch.setattr(module.Reembedder, "copy", ask_and_copy)
    monkeypatch.setattr(module.Reembedder, "change_places", ask_and_change)
    place.run()
    assert answers == [before] * 4
    assert len(place.found(place.large)) == len(before)


# Wherever it is stopped


@pytest.mark.slow
def test_a_run_that_is_stopped_leaves_the_old_store_whole_and_the_next_one_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, hits = place.documents(), place.found(place.small)

    def stop() -> None:
        raise Stopped

    for number in (14, 22, 3):
        with monkeypatch.context() as patch:
            for name in CHANGES:
                patch.setattr(Client, name, getattr(Client, name))
            stop_before(number, stop)
            with pytest.raises(Stopped):
                place.run()
        assert place.found(place.small) == hits
    place.run()
    assert (place.documents(), place.dimensions()) == (before, 12)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_the_old_store_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT}:{PROJECT / 'tests'}")
    hits = place.found(place.small)
    ended = run_python("-c", WORKER, str(place.store), place.large, "22")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert place.next.exists()
    assert place.found(place.small) == hits
    assert run_python("-c", WORKER, str(place.store), place.large, "1000").returncode == 0
    assert place.dimensions() == 12
    assert not place.next.exists()


@pytest.mark.everyday("exchange_stores")
@pytest.mark.parametrize("step", ["exchange_stores", "remove_store"])
@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_run_that_is_stopped_around_the_switch_is_completed_by_the_next_one(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    original: Callable[..., None] = getattr(module, step)

    def stop(*folders: Path) -> None:
        if after:
            original(*folders)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(module, step, stop)
        with pytest.raises(Stopped):
            place.run()
    assert len(place.documents()) == 3  # one of both, and whole
    place.run()
    assert (len(place.documents()), place.dimensions(), place.next.exists()) == (3, 12, False)


@pytest.mark.slow
def test_a_removal_that_was_killed_is_completed(place: Place) -> None:
    shutil.copytree(place.store, place.next, symlinks=True)
    (place.next / "data").rename(place.next / "removed")
    place.run()
    assert not place.next.exists()


# Refused


@pytest.mark.slow
def test_what_cannot_be_embedded_again_is_refused_and_changes_nothing(place: Place) -> None:
    before = place.found(place.small)
    with pytest.raises(RagError, match=r"has a chunk of \d+ tokens, more than the \d that tiny reads"):
        place.run(place.short)
    with pytest.raises(UsageError, match=r"holds the documents embedded by tiny: finish that with"):
        place.run(place.large)  # the second store was begun with another model
    with pytest.raises(UsageError, match="is the store itself"):
        place.run(into=str(place.store))
    with pytest.raises(UsageError, match=r"is on a server.*--into"):
        reembed(place.settings, place.large, "clickhouse://127.0.0.1:1/none")
    assert place.found(place.small) == before


@pytest.mark.slow
def test_a_store_that_another_process_keeps_open_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def busy_twice() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise StoreBusy("in use")
        return "done"

    assert module.patiently(busy_twice) == "done"
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    calls[:] = []
    with pytest.raises(StoreBusy):
        module.patiently(busy_twice)


def test_the_command_embeds_again_and_says_what_it_needs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def ingest(*arguments: str) -> tuple[int, str, str]:
        ended = run_main("ingest", *arguments, "--db", str(place.store))
        return ended.returncode, ended.stdout, ended.stderr

    assert ingest("--reembed")[0] == ingest()[0] == ingest("docs", "--into", "x")[0] == 2
    assert ingest("docs", "--reembed", "--model", place.large)[0] == 2
    code, printed, errors = ingest("--reembed", "--model", place.large, "--json")
    assert (code, errors) == (0, "")
    done = json.loads(printed)
    assert (done["documents"], done["chunks"], done["switched"], done["store"]) == (3, 3, True, str(place.store))
