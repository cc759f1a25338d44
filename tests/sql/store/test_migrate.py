"""Migrations: a store of the first schema version opens with the newest code, wherever a migration was killed before."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest
import version_1
from commands_here import run_main
from migration_worker import CHANGES, stop_before
from support import (
    DIMENSIONS,
    PROJECT,
    QUANTIZER,
    draft_document,
    identity,
    open_store,
    publish_document,
    retrieve,
    run_python,
    search,
    source_document,
    vectors_of,
    visible_texts,
)

from rag.index.word_index import add_words
from rag.int8.quantization import quantize_query
from rag.text.analyser import ANALYSER
from sql.base.errors import StoreError, StoreMismatch
from sql.engine.client import Client, parse_location
from sql.records import NO_OUTLINE, Chunk, Lead, Outline, Section
from sql.records.places import Place, Rectangle
from sql.store import SCHEMA_VERSION, ChunkBatch, Store
from sql.store.migrate import add_revision

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = [
    quantize_query(np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)) for seed in range(3)
]
WORKER = str(PROJECT / "tests" / "migration_worker.py")
DEFINITIONS = """
    SELECT name, create_table_query FROM system.tables
    WHERE database = currentDatabase() ORDER BY name FORMAT TabSeparated
"""
BRACKETS = str.maketrans("", "", "()")
LEFT_OVER = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_2'"
OLD_SEARCH = """
    SELECT source, chunk_index, text, round(score, 5)
    FROM nearest_chunks(epoch = 7, query = [1, 2, 3, 4, 5, 6, 7, 8])
    ORDER BY score DESC, source, chunk_index FORMAT TabSeparated
"""


class Stopped(BaseException):
    """A migration that was stopped on purpose."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of version 1, to be copied."""
    folder = tmp_path_factory.mktemp("version") / "store"
    version_1.write_store(folder)
    return folder


@pytest.fixture
def old(written: Path, tmp_path: Path) -> Path:
    return copy_of(written, tmp_path / "store")


def copy_of(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    return target


def ask(folder: Path, sql: str) -> str:
    client = Client(parse_location(str(folder)))
    try:
        return client.text(sql, None).decode()
    finally:
        client.close()


def fresh_store(folder: Path) -> Store:
    """A new store of the same documents."""
    store = open_store(folder)
    for path, texts in version_1.TEXTS.items():
        store.writer.publish([draft_document(store, path, texts, language="en")])
    return store


def assert_migrated(folder: Path) -> None:
    """The store holds every live document of version 1, sound, and nothing of the old tables."""
    with Store.open(str(folder)) as store:
        collection = store.collection()
        assert collection is not None
        assert collection.schema_version == SCHEMA_VERSION
        assert visible_texts(store) == {path: texts for path, texts in version_1.TEXTS.items() if texts}
        assert {document.source for document in store.snapshot().documents()} == set(version_1.TEXTS)
        assert store.snapshot().damaged_documents() == []
        assert store.epoch() == version_1.LAST_EPOCH
        assert store.client.text(LEFT_OVER, "TabSeparated") == b"0\n"


# What comes out


def test_a_reader_of_an_old_store_is_told_the_command_that_migrates_it(old: Path) -> None:
    with pytest.raises(StoreMismatch, match=r"schema version 1, .* needs 7: .*`python -m rag migrate --db .*store`$"):
        Store.open(str(old))
    version = ask(old, "SELECT max(schema_version) FROM collection FORMAT TabSeparated")
    assert version == "1\n"  # a reader changes nothing


def test_a_writer_migrates_an_old_store_and_says_so_once(old: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with Store.open(str(old), write=True, announce=said.append):
            pass
    assert said == [f"{old}: bringing schema version {one} to {one + 1}" for one in range(1, SCHEMA_VERSION)]
    assert_migrated(old)


def test_a_migrated_store_has_the_tables_and_views_of_a_new_one(old: Path, tmp_path: Path) -> None:
    Store.open(str(old), write=True).close()
    fresh_store(tmp_path / "new").close()
    migrated, new = ask(old, DEFINITIONS), ask(tmp_path / "new", DEFINITIONS)
    # A table keeps the granules that it was made with, and how long its merged parts stay.
    old_granules = "index_granularity = 256, min_compress_block_size = 1024"
    migrated = migrated.replace(old_granules, "index_granularity = 64, min_compress_block_size = 4096")
    lifetime = "old_parts_lifetime = 60, concurrent_part_removal_threshold = 1000000"
    migrated = migrated.replace("old_parts_lifetime = 480", lifetime)
    # The engine writes the bodies of functions into views, with more or fewer brackets.
    assert migrated.translate(BRACKETS) == new.translate(BRACKETS)


def test_a_migrated_store_finds_the_hits_and_scores_of_a_new_one(old: Path, tmp_path: Path) -> None:
    def found(store: Store) -> list[list[tuple[str, int, float]]]:
        return [[(hit.source, hit.chunk_index, hit.score) for hit in search(store, query, 5)] for query in QUERIES]

    with Store.open(str(old), write=True) as store:
        migrated = found(store)
    with fresh_store(tmp_path / "new") as store:
        assert migrated == found(store)


@pytest.mark.slow
def test_a_search_of_the_old_version_finds_the_same_before_and_after(old: Path) -> None:
    before = ask(old, OLD_SEARCH)
    Store.open(str(old), write=True).close()
    assert ask(old, OLD_SEARCH) == before
    assert "DROP TABLE" in before


@pytest.mark.slow
def test_migrated_rows_are_the_rows_of_a_new_store_but_for_their_generation(old: Path, tmp_path: Path) -> None:
    rows = "SELECT * EXCEPT (generation, signs, error), hex(signs) FROM chunks ORDER BY source, chunk_index FORMAT JSONEachRow"
    Store.open(str(old), write=True).close()
    fresh_store(tmp_path / "new").close()
    assert ask(old, rows) == ask(tmp_path / "new", rows)
    errors = "SELECT error FROM chunks ORDER BY source, chunk_index FORMAT TabSeparated"
    for bound, error in zip(ask(old, errors).split(), ask(tmp_path / "new", errors).split(), strict=True):
        assert float(error) <= float(bound) < 3 * float(error)  # what the codes tell, and what the floats told


@pytest.mark.slow
def test_a_migrated_store_goes_on_with_new_documents(old: Path) -> None:
    with Store.open(str(old), write=True) as store:
        before = {document.generation for document in store.snapshot().documents()}
        assert publish_document(store, "cats.txt", ["new cats"]) == version_1.LAST_EPOCH + 1
        assert visible_texts(store)["cats.txt"] == ["new cats"]
        assert max(document.generation for document in store.snapshot().documents()) > max(before)
        assert store.snapshot().damaged_documents() == []


def test_words_are_made_of_the_stored_texts_and_are_those_of_a_new_store(old: Path, tmp_path: Path) -> None:
    with Store.open(str(old), write=True) as store:
        with pytest.raises(StoreMismatch, match="has no words"):
            store.made_with.check_analyser(ANALYSER)
        assert add_words(store, "en") == 3
        assert add_words(store, "en") == 0
        assert store.snapshot().damaged_documents() == []
        assert [hit.source for hit in retrieve(store, "cats", 2, ranking="words")] == ["cats.txt"] * 2
    fresh_store(tmp_path / "new").close()
    for table, names in (
        ("lengths", "chunk_index, language, terms, postings, checksum"),
        ("postings", "term, chunk_index, frequency, length"),
    ):
        rows = f"SELECT {names} FROM {table} ORDER BY {names} FORMAT TabSeparated"
        assert ask(old, rows) == ask(tmp_path / "new", rows)


@pytest.mark.slow
def test_a_store_of_version_2_keeps_its_rows_and_gets_outlines_with_new_documents(tmp_path: Path) -> None:
    fresh_store(tmp_path / "store").close()
    ask(tmp_path / "store", "ALTER TABLE chunks DROP COLUMN outline")
    client = Client(parse_location(str(tmp_path / "store")))
    add_revision(client, {"schema_version": 2})
    client.close()
    with pytest.raises(StoreMismatch, match="has schema version 2"):
        Store.open(str(tmp_path / "store"))
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert store.snapshot().damaged_documents() == []
        assert visible_texts(store) == {path: texts for path, texts in version_1.TEXTS.items() if texts}
        outline = Outline((Section(0, 3, "New"),), (Lead(4, 5, 0, 3, "New"),))
        draft = store.writer.begin(source_document("new.md"))
        chunk = Chunk(0, "New a", 0, 5, 1, 0, "", 1, outline)
        store.writer.insert(ChunkBatch([(draft, chunk)], vectors_of(["New a"])))
        store.writer.publish([draft])
        hits = store.snapshot().with_outlines(search(store, QUERIES[0], 20))
        assert {hit.source: hit.outline for hit in hits if hit.outline != NO_OUTLINE} == {"new.md": outline}
        assert store.snapshot().damaged_documents() == []


OLDER_THAN_PLACES = (
    "DROP TABLE places",
    "DROP VIEW live_places",
    "DROP VIEW highlights",
    "ALTER TABLE chunks DROP COLUMN place_name",
    "ALTER TABLE manifest DROP COLUMN place_count, DROP COLUMN place_checksum",
)


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", [QUANTIZER, "asymmetric int8 per dimension"])
def test_a_store_of_version_3_keeps_its_rows_and_gets_places_with_new_documents(tmp_path: Path, quantizer: str) -> None:
    with Store.open(str(tmp_path / "store"), write=True) as store:
        store.prepare(identity(), quantizer)
        store.writer.publish([draft_document(store, "a.txt", ["one", "two"])] if quantizer == QUANTIZER else [])
    new = ask(tmp_path / "store", DEFINITIONS)
    for statement in OLDER_THAN_PLACES:
        ask(tmp_path / "store", statement)
    client = Client(parse_location(str(tmp_path / "store")))
    add_revision(client, {"schema_version": 3})
    client.close()
    with pytest.raises(StoreMismatch, match="has schema version 3"):
        Store.open(str(tmp_path / "store"))
    place = Place(0, 3, Rectangle(1, 0.0, 0.0, 9.0, 9.0))
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert visible_texts(store) == ({"a.txt": ["one", "two"]} if quantizer == QUANTIZER else {})
        draft = store.writer.begin(source_document("b.pdf", "one", places=[place]))
        if quantizer == QUANTIZER:
            chunk = Chunk(0, "one", 0, 3, 1, 1, "", 1, place_name="page 1")
            store.writer.insert(ChunkBatch([(draft, chunk)], vectors_of(["one"])))
        store.writer.publish([draft])
        assert store.snapshot().damaged_documents() == []
        assert store.snapshot().span_places([(draft.generation, 0, 3)]) == [[place]]
    assert ask(tmp_path / "store", DEFINITIONS).translate(BRACKETS) == new.translate(BRACKETS)


@pytest.mark.slow
def test_a_store_of_version_5_has_the_models_own_prompts(tmp_path: Path) -> None:
    fresh_store(tmp_path / "store").close()
    new = ask(tmp_path / "store", DEFINITIONS)
    ask(tmp_path / "store", "ALTER TABLE collection DROP COLUMN prompts")
    client = Client(parse_location(str(tmp_path / "store")))
    add_revision(client, {"schema_version": 5})
    client.close()
    with pytest.raises(StoreMismatch, match="has schema version 5"):
        Store.open(str(tmp_path / "store"))
    with Store.open(str(tmp_path / "store"), write=True) as store:
        collection = store.collection()
        assert collection is not None
        assert collection.encoder.prompts == ""
        assert visible_texts(store) == {path: texts for path, texts in version_1.TEXTS.items() if texts}
    assert ask(tmp_path / "store", DEFINITIONS) == new


def test_a_damaged_old_store_is_left_as_it_is(old: Path) -> None:
    ask(old, "ALTER TABLE chunks UPDATE text = 'forged' WHERE text = 'dogs run here' SETTINGS mutations_sync = 1")
    with pytest.raises(StoreError, match=r"the chunks of /dogs\.txt are not what was stored, so the store stays"):
        Store.open(str(old), write=True)
    assert "forged" in ask(old, OLD_SEARCH)


def test_a_store_that_was_never_finished_is_no_old_store(tmp_path: Path) -> None:
    client = Client(parse_location(str(tmp_path / "store")))
    client.text((version_1.SCHEMA / "10_collection.sql").read_text(), None)
    client.close()
    with pytest.raises(StoreError, match="is empty"):
        Store.open(str(tmp_path / "store"))


# Wherever it is stopped


def stop_and_finish(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Stops a migration before its Nth change, looks as a reader, finishes it; whether it got that far."""

    def stop() -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        for name in CHANGES:
            patch.setattr(Client, name, getattr(Client, name))  # to be put back
        stop_before(number, stop)
        try:
            with Store.open(str(folder), write=True) as store:
                add_words(store)
            return False
        except Stopped:
            pass
    assert_old_or_whole(folder)
    with Store.open(str(folder), write=True) as store:
        add_words(store)
    assert_migrated(folder)
    return True


def assert_old_or_whole(folder: Path) -> None:
    """A reader of this version is refused, or sees all documents; one of the old version sees what it saw."""
    try:
        with Store.open(str(folder)) as store:
            assert visible_texts(store) == {path: texts for path, texts in version_1.TEXTS.items() if texts}
    except StoreMismatch:
        pass
    texts = {line.split("\t")[2] for line in ask(folder, OLD_SEARCH).splitlines()}
    assert len(texts) == sum(map(len, version_1.TEXTS.values()))


def stop_everywhere(written: Path, folder: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Stops a migration before the first change, then `step` later, and so on to the last; returns where it ended."""
    number = 1
    while stop_and_finish(copy_of(written, folder / f"{number}"), number, monkeypatch):
        number += step
    return number


@pytest.mark.slow
def test_a_migration_that_is_stopped_is_completed_by_the_next_writer(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stop_everywhere(written, tmp_path, 8, monkeypatch) > 20


@pytest.mark.slow
def test_a_migration_may_be_stopped_before_any_change(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stop_everywhere(written, tmp_path, 1, monkeypatch) > 20


def kill(folder: Path, number: int) -> int:
    return run_python(WORKER, str(folder), str(number)).returncode


@pytest.mark.slow
@pytest.mark.parametrize("number", [13])
def test_a_migration_that_is_killed_twice_is_completed_by_the_next_writer(old: Path, number: int) -> None:
    assert kill(old, number) == -signal.SIGKILL
    assert_old_or_whole(old)
    assert kill(old, 3) == -signal.SIGKILL
    assert_old_or_whole(old)
    assert kill(old, 1_000) == 0
    assert_migrated(old)


@pytest.mark.slow
def test_a_migration_may_be_killed_before_any_change(written: Path, tmp_path: Path) -> None:
    number = 1
    while True:
        folder = copy_of(written, tmp_path / f"{number}")
        if kill(folder, number) == 0:
            break
        assert_old_or_whole(folder)
        kill(folder, number)  # a second time, wherever that is now
        assert_old_or_whole(folder)
        assert kill(folder, 1_000) == 0
        assert_migrated(folder)
        number += 1
    assert number > 20


@pytest.mark.slow
def test_a_large_document_and_many_small_ones_are_copied_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(parse_location(str(tmp_path / "store")))
    version_1.make_tables(client)
    version_1.publish(client, "long.txt", [f"word {number}" for number in range(50)], 1)
    for number in range(20):
        version_1.publish(client, f"{number}.txt", [f"text {number}"], number + 2)
    client.close()
    monkeypatch.setattr("sql.store.migrate.ROWS_PER_INSERT", 7)
    monkeypatch.setattr("sql.store.rows.ROWS_AT_ONCE", 10)
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert store.snapshot().chunk_count() == 70
        assert store.snapshot().damaged_documents() == []


def test_the_command_migrates_and_makes_the_words(old: Path, tmp_path: Path) -> None:
    ended = run_main("rag", "migrate", "--db", str(old))
    assert (ended.returncode, ended.stdout) == (0, f"{old} is up to date: schema version 7, 6 chunks\n")
    assert "bringing schema version 1 to 2" in ended.stderr
    assert "making the words of 3 documents" in ended.stderr
    again = run_main("rag", "migrate", "--db", str(old))
    assert (again.returncode, again.stderr) == (0, "")
    assert run_main("rag", "migrate", "--db", str(tmp_path / "none")).returncode == 1
    assert not (tmp_path / "none").exists()
