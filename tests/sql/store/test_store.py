"""The store: generations that nobody sees until one row publishes them, and everything that must be refused."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from support import (
    DIMENSIONS,
    QUANTIZER,
    chunks_of,
    draft_document,
    identity,
    open_store,
    publish_document,
    search,
    source_document,
    vectors_of,
    visible_texts,
)

from rag.int8.quantization import quantize_query
from sql.base.errors import InvalidVector, StoreError, StoreMismatch
from sql.engine.statements import Statement
from sql.records import Chunk, QuantizedVectors
from sql.search.request import SearchRequest
from sql.store import SCHEMA_VERSION, ChunkBatch, Draft, Store
from sql.store.rows import chunk_columns
from sql.store.writer import ROWS_PER_INSERT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

QUERY = quantize_query(np.ones(DIMENSIONS, dtype=np.float32))


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    with open_store(location) as opened:
        yield opened


def texts_at(store: Store, epoch: int) -> list[str]:
    return [row["text"] for row in store.client.query(Statement("chunk_texts", {"epoch": epoch}))]


def ask(store: Store, sql: str) -> str:
    """The single value of a statement, as text."""
    return store.client.text(sql, "TabSeparated").decode().strip()


def row_count(store: Store, table: str) -> int:
    return int(ask(store, f"SELECT count() FROM {table}"))


# Publishing


@pytest.mark.either_back_end
def test_chunks_that_are_not_published_are_invisible_to_every_read(store: Store) -> None:
    draft_document(store, "a.txt", ["one", "two"])
    assert row_count(store, "chunks") == 2
    assert search(store, QUERY, 10) == []
    assert store.snapshot().search_documents(QUERY, SearchRequest(k=10)) == []
    assert (
        store.snapshot().documents(),
        store.snapshot().chunk_texts(),
        store.snapshot().chunk_count(),
        store.epoch(),
    ) == ([], [], 0, 0)


def test_publishing_makes_all_chunks_of_all_drafts_visible_in_one_epoch(store: Store) -> None:
    drafts = [draft_document(store, "a.txt", ["one", "two"]), draft_document(store, "b.txt", ["three"])]
    epoch = store.writer.publish(drafts)
    assert epoch == store.epoch() == 1
    assert visible_texts(store) == {"a.txt": ["one", "two"], "b.txt": ["three"]}
    assert {hit.text for hit in search(store, QUERY, 10)} == {"one", "two", "three"}
    assert ask(store, "SELECT uniqExact(epoch) FROM manifest") == "1"


def test_a_replaced_document_shows_its_new_chunks_and_none_of_the_old(store: Store) -> None:
    publish_document(store, "a.txt", ["old 1", "old 2", "old 3"])
    draft = draft_document(store, "a.txt", ["new 1"])
    assert visible_texts(store) == {"a.txt": ["old 1", "old 2", "old 3"]}
    store.writer.publish([draft])
    assert visible_texts(store) == {"a.txt": ["new 1"]}
    assert {hit.text for hit in search(store, QUERY, 10)} == {"new 1"}


def test_a_read_at_an_older_epoch_sees_the_old_version_until_it_is_collected(store: Store) -> None:
    first = publish_document(store, "a.txt", ["old"])
    second = publish_document(store, "a.txt", ["new"])
    assert (texts_at(store, first), texts_at(store, second)) == (["old"], ["new"])
    assert [hit.text for hit in search(store, QUERY, 10, first)] == ["old"]
    assert store.garbage.collect_unseen(grace_seconds=0) == 1
    assert (texts_at(store, first), texts_at(store, second)) == ([], ["new"])


def test_a_deleted_document_is_found_no_more_and_can_come_back(store: Store) -> None:
    before = publish_document(store, "a.txt", ["one"])
    publish_document(store, "b.txt", ["two"])
    store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "a.txt"])
    assert visible_texts(store) == {"b.txt": ["two"]}
    assert [document.source for document in store.snapshot().documents()] == ["b.txt"]
    assert [hit.text for hit in search(store, QUERY, 10)] == ["two"]
    assert texts_at(store, before) == ["one"]
    publish_document(store, "a.txt", ["one again"])
    assert visible_texts(store) == {"a.txt": ["one again"], "b.txt": ["two"]}


def test_a_deletion_and_a_publication_happen_in_one_epoch(store: Store) -> None:
    publish_document(store, "old-name.txt", ["one"])
    epoch = store.writer.publish([draft_document(store, "new-name.txt", ["one"])], store.snapshot().documents())
    assert visible_texts(store) == {"new-name.txt": ["one"]}
    assert epoch == 2


def test_publishing_nothing_leaves_the_epoch_as_it_is(store: Store) -> None:
    publish_document(store, "a.txt", ["one"])
    assert store.writer.publish([]) == store.epoch() == 1
    assert row_count(store, "manifest") == 1


def test_a_document_without_text_is_a_document_without_chunks(store: Store) -> None:
    publish_document(store, "empty.txt", [])
    assert [(document.source, document.chunk_count) for document in store.snapshot().documents()] == [("empty.txt", 0)]
    assert store.snapshot().damaged_documents() == []
    assert search(store, QUERY, 10) == []


def test_one_document_cannot_be_published_twice_in_one_epoch(store: Store) -> None:
    publish_document(store, "a.txt", ["one"])
    drafts = [draft_document(store, "a.txt", ["two"]), draft_document(store, "a.txt", ["three"])]
    with pytest.raises(ValueError, match="only once in one epoch"):
        store.writer.publish(drafts)
    with pytest.raises(ValueError, match="only once in one epoch"):
        store.writer.publish(drafts[:1], store.snapshot().documents())
    assert visible_texts(store) == {"a.txt": ["one"]}


@pytest.mark.either_back_end
def test_epochs_grow_and_generations_differ_over_many_openings(location: str) -> None:
    epochs, generations = [], []
    for number in range(3):
        with open_store(location) as store:
            epochs += [publish_document(store, "a.txt", [f"{number} {part}"]) for part in range(2)]
            generations.append(store.snapshot().documents()[0].generation)
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert len(set(generations)) == 3
    assert generations == sorted(generations)


def test_drafts_begun_together_have_different_generations(store: Store) -> None:
    drafts = [store.writer.begin(source_document("a.txt")) for _ in range(500)]
    assert len({draft.generation for draft in drafts}) == 500


def test_what_is_read_back_of_a_document_is_what_was_published(store: Store) -> None:
    publish_document(store, "ä 猫.txt", ["one", "two"])
    (document,) = store.snapshot().documents()
    assert (document.path, document.source, document.title, document.format) == (
        "/ä 猫.txt",
        "ä 猫.txt",
        "Ä 猫.Txt",
        "text",
    )
    assert (document.chunker, document.chunk_count, document.content_bytes) == ("by hand", 2, 6)
    assert document.document_id == source_document("ä 猫.txt").document_id


def test_a_hit_carries_its_chunk_and_its_place(store: Store) -> None:
    publish_document(store, "a.txt", ["one", "two"])
    hit = next(hit for hit in search(store, QUERY, 2) if hit.text == "two")
    assert (hit.source, hit.title, hit.start, hit.end, hit.line, hit.page) == ("a.txt", "A.Txt", 4, 7, 2, 0)
    assert (hit.chunk_index, hit.document_id) == (1, source_document("a.txt").document_id)


def test_text_of_every_kind_comes_back_as_it_was(store: Store) -> None:
    texts = [
        "'; DROP TABLE chunks; --",
        "{query:Array(Int16)}",
        "\\N \\t \\",
        "\x00\x1b[31m",
        "a\r\nb\tc",
        "🎉 猫 \u202e",
    ]
    publish_document(store, "odd.txt", texts)
    assert visible_texts(store) == {"odd.txt": texts}
    assert {hit.text for hit in search(store, QUERY, 10)} == set(texts)


def test_more_rows_than_one_insert_takes_arrive_and_are_counted(store: Store) -> None:
    texts = ["word"] * (ROWS_PER_INSERT + 1)
    row = vectors_of(["word"])
    vectors = QuantizedVectors(
        np.repeat(row.codes, len(texts), axis=0),
        np.repeat(row.scale, len(texts)),
        np.repeat(row.zero_point, len(texts)),
    )
    draft = store.writer.begin(source_document("long.txt"))
    store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(texts)], vectors))
    store.writer.publish([draft])
    assert store.snapshot().chunk_count() == ROWS_PER_INSERT + 1


# Identities


def test_a_document_has_the_same_id_in_every_run_and_on_every_machine() -> None:
    assert source_document("docs/a.md").document_id == UUID("9a836533-e114-9a7a-37a2-c2636aa1b15a")
    assert source_document("docs/a.md").document_id != source_document("docs/b.md").document_id


@pytest.mark.either_back_end
def test_the_second_run_of_the_same_documents_has_the_same_rows_but_for_the_generation(
    new_location: Callable[[], str],
) -> None:
    columns = (
        "document_id, chunk_index, source, char_start, char_end, text, codes, scale, zero_point, norm, error, row_hash"
    )
    dumps = []
    for folder in ("one", "two"):
        with open_store(new_location()) as store:
            for path in ("a.txt", "b.txt")[:: 1 if folder == "one" else -1]:
                publish_document(store, path, ["one", "two"])
            dumps.append(ask(store, f"SELECT {columns} FROM chunks ORDER BY ALL"))
    assert dumps[0] == dumps[1]


# Verification


def doubled(store: Store, draft: Draft, texts: list[str]) -> None:
    """Inserts rows of a draft behind its back."""
    passages = ChunkBatch([(replace(draft), chunk) for chunk in chunks_of(texts)], vectors_of(texts))
    store.client.insert("chunks", chunk_columns(passages, range(len(texts)), None))


def test_a_draft_that_lost_a_row_is_not_published(store: Store) -> None:
    publish_document(store, "a.txt", ["old"])
    draft = draft_document(store, "a.txt", ["new 1", "new 2"])
    store.client.text(f"DELETE FROM chunks WHERE generation = {draft.generation} AND chunk_index = 1", None)
    with pytest.raises(
        StoreError, match=r"a\.txt: what arrived .*\(1 chunk\) is not what was sent \(2 chunks\); nothing was"
    ):
        store.writer.publish([draft])
    assert (visible_texts(store), store.epoch()) == ({"a.txt": ["old"]}, 1)


def test_a_draft_whose_rows_arrived_twice_is_not_published(store: Store) -> None:
    draft = draft_document(store, "a.txt", ["one", "two"])
    doubled(store, draft, ["one", "two"])
    with pytest.raises(StoreError, match=r"\(4 chunks\)"):
        store.writer.publish([draft])
    assert (store.snapshot().documents(), store.epoch()) == ([], 0)


def test_a_draft_with_a_foreign_row_in_place_of_its_own_is_not_published(store: Store) -> None:
    draft = draft_document(store, "a.txt", ["one", "two"])
    store.client.text("DELETE FROM chunks WHERE chunk_index = 0", None)
    doubled(store, draft, ["ONE"])
    with pytest.raises(StoreError, match="is not what"):
        store.writer.publish([draft])


def test_one_damaged_draft_keeps_the_others_from_being_published_too(store: Store) -> None:
    good, bad = draft_document(store, "a.txt", ["one"]), draft_document(store, "b.txt", ["two"])
    doubled(store, bad, ["two"])
    with pytest.raises(StoreError, match=r"b\.txt"):
        store.writer.publish([good, bad])
    assert store.snapshot().documents() == []
    store.writer.publish([good])
    assert visible_texts(store) == {"a.txt": ["one"]}


@pytest.mark.either_back_end
def test_a_draft_whose_extracted_text_arrived_twice_is_not_published(store: Store) -> None:
    draft = store.writer.begin(source_document("a.html", extracted_text="words"))
    row = {
        "generation": draft.generation,
        "document_id": draft.document_id,
        "source": "a.html",
        "text": "",
        "row_hash": 0,
    }
    store.client.insert("texts", {name: [value] for name, value in row.items()})
    with pytest.raises(StoreError, match=r"a\.html"):
        store.writer.publish([draft])
    assert store.snapshot().documents() == []


@pytest.mark.either_back_end
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM chunks WHERE chunk_index = 1",
        "DELETE FROM chunks WHERE source = 'b.txt'",
        "ALTER TABLE chunks UPDATE row_hash = row_hash + 1 WHERE source = 'b.txt' AND chunk_index = 0",
        "INSERT INTO chunks SELECT * REPLACE (2 AS chunk_index, 0 AS row_hash) FROM chunks WHERE source = 'b.txt' LIMIT 1",
    ],
)
def test_a_published_document_that_lost_gained_or_changed_a_row_is_called_damaged(store: Store, damage: str) -> None:
    publish_document(store, "a.txt", ["one"])
    publish_document(store, "b.txt", ["one", "two"])
    assert store.snapshot().damaged_documents() == []
    store.client.text(damage, None)
    assert store.snapshot().damaged_documents() == ["/b.txt"]


def test_superseded_and_abandoned_generations_are_not_damage(store: Store) -> None:
    publish_document(store, "a.txt", ["old 1", "old 2"])
    publish_document(store, "a.txt", ["new"])
    draft_document(store, "b.txt", ["never published"])
    assert store.snapshot().damaged_documents() == []


# Extracted texts


def test_the_extracted_text_of_a_converted_document_is_stored_and_collected_with_it(store: Store) -> None:
    for words in ("old words", "new words"):
        draft = store.writer.begin(source_document("a.html", extracted_text=words))
        store.writer.insert(ChunkBatch([(draft, Chunk(0, words, 0, len(words), 1, 0, "", 2))], vectors_of([words])))
        store.writer.publish([draft])
    publish_document(store, "b.txt", ["not converted"])
    assert row_count(store, "texts") == 2
    store.garbage.collect_unseen(grace_seconds=0)
    assert ask(store, "SELECT source, text FROM texts") == "a.html\tnew words"


# Garbage


def test_garbage_is_collected_only_after_it_was_invisible_for_the_whole_grace_period(store: Store) -> None:
    publish_document(store, "a.txt", ["old"])
    publish_document(store, "a.txt", ["new"])
    assert store.garbage.collect_unseen(grace_seconds=0.3) == 0  # the clock of the old generation starts here
    assert row_count(store, "chunks") == 2
    time.sleep(0.3)
    assert store.garbage.collect_unseen(grace_seconds=0.3) == 1
    assert row_count(store, "chunks") == 1
    assert store.garbage.collect_unseen(grace_seconds=0) == 0


def test_chunks_of_a_deleted_document_become_garbage(store: Store) -> None:
    publish_document(store, "a.txt", ["one", "two"])
    store.writer.publish([], store.snapshot().documents())
    assert store.garbage.collect_unseen(grace_seconds=0) == 1
    assert row_count(store, "chunks") == 0


def test_drafts_in_flight_are_never_garbage(store: Store) -> None:
    draft = draft_document(store, "a.txt", ["one"])
    assert store.garbage.collect_unseen(grace_seconds=0) == 0
    store.writer.publish([draft])
    assert visible_texts(store) == {"a.txt": ["one"]}


def test_drafts_of_a_run_that_ended_are_swept_when_the_next_writer_opens_the_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
        draft_document(store, "b.txt", ["half a", "document"])
    with Store.open(str(tmp_path / "store")) as reader:
        assert row_count(reader, "chunks") == 3
    with Store.open(str(tmp_path / "store"), write=True) as store:
        assert row_count(store, "chunks") == 1
        assert visible_texts(store) == {"a.txt": ["one"]}


def test_a_second_writer_in_the_process_does_not_sweep_drafts_of_the_first(store: Store) -> None:
    draft = draft_document(store, "a.txt", ["one"])
    with Store.open(store.client.location, write=True):
        pass
    store.writer.publish([draft])
    assert visible_texts(store) == {"a.txt": ["one"]}


# Opening


def test_a_store_that_is_not_there_is_an_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store at .*nowhere: make one with `python -m ingest FOLDER"):
        Store.open(str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_a_store_without_tables_is_an_error_that_says_how_to_fill_it(location: str) -> None:
    with Store.open(location, write=True) as store:
        assert store.collection() is None
    with pytest.raises(StoreError, match="is empty: fill it with"):
        Store.open(location)


def test_preparing_a_store_goes_on_where_a_killed_run_stopped(location: str) -> None:
    with Store.open(location, write=True) as store:
        store.client.create("schema/10_collection.sql", {})
        store.client.create("schema/20_manifest.sql", {})
    with open_store(location) as store:
        publish_document(store, "a.txt", ["one"])
        assert visible_texts(store) == {"a.txt": ["one"]}


def test_preparing_a_store_twice_changes_nothing(store: Store) -> None:
    store.prepare(identity(), QUANTIZER)
    assert row_count(store, "collection") == 1


@pytest.mark.either_back_end
@pytest.mark.parametrize(
    ("encoder", "quantizer", "message"),
    [
        (
            identity(model="b-model"),
            QUANTIZER,
            r"built with encoder a-model \(8 .* now encoder b-model .*ask with `--model a-model`",
        ),
        (identity(16), QUANTIZER, r"\(8 dimensions.*\(16 dimensions.*or ingest the documents into a new store"),
        (
            identity(model_sha256="c" * 64),
            QUANTIZER,
            "weights aaaaaaaa.*weights cccccccc.*use the same version of a-model",
        ),
        (
            identity(),
            "symmetric int8 per vector",
            "asymmetric int8.*symmetric int8.*use `--quantizer asymmetric --bits 8`",
        ),
    ],
)
def test_vectors_of_another_model_dimension_or_quantizer_are_refused_with_the_remedy(
    store: Store, encoder: object, quantizer: str, message: str
) -> None:
    with pytest.raises(StoreMismatch, match=message):
        store.prepare(encoder, quantizer)  # type: ignore[arg-type]
    with pytest.raises(StoreMismatch, match=message):
        store.made_with.check_encoder(encoder, quantizer)  # type: ignore[arg-type]


@pytest.mark.either_back_end
@pytest.mark.parametrize(
    ("version", "message"),
    [
        (9, f"has schema version 9 and this program knows {SCHEMA_VERSION}: install a newer int8-rag"),
        (
            1,
            f"has schema version 1, of an older int8-rag, and this program needs {SCHEMA_VERSION}: "
            "bring it .*`python -m rag migrate",
        ),
    ],
)
def test_a_store_written_by_another_version_is_refused_with_the_remedy(
    location: str, version: int, message: str
) -> None:
    with open_store(location) as store:
        store.client.text(
            f"INSERT INTO collection SELECT * REPLACE (2 AS revision, {version} AS schema_version) FROM collection",
            None,
        )
    for write in (False, True)[:version]:  # what is older, a writer brings up to date
        with pytest.raises(StoreMismatch, match=message):
            Store.open(location, write=write)


def test_the_same_folder_can_be_opened_twice_in_one_process_in_any_spelling(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
        (tmp_path / "link").symlink_to(tmp_path / "store")
        for spelling in ("store", "link", "x/../store"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with Store.open(f"{tmp_path}/{spelling}") as reader:
                assert visible_texts(reader) == {"a.txt": ["one"]}
        with Store.open(f"chdb://{tmp_path}/store") as reader:
            publish_document(store, "a.txt", ["two"])
            assert visible_texts(reader) == {"a.txt": ["two"]}
        assert visible_texts(store) == {"a.txt": ["two"]}


def test_another_folder_is_refused_while_one_is_open_and_accepted_afterwards(tmp_path: Path) -> None:
    with (
        open_store(tmp_path / "one"),
        pytest.raises(
            StoreError, match=r"has the store .*one open and chDB can open one store per process: close it before"
        ),
    ):
        Store.open(str(tmp_path / "two"), write=True)
    with open_store(tmp_path / "two") as store:
        assert store.epoch() == 0


def test_a_closed_store_says_so(location: str) -> None:
    store = open_store(location)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="has been closed"):
        store.epoch()


def test_a_store_opened_for_reading_refuses_to_write(store: Store) -> None:
    publish_document(store, "a.txt", ["one"])
    with Store.open(store.client.location) as reader:
        with pytest.raises(StoreError, match="was opened read-only"):
            publish_document(reader, "b.txt", ["two"])
        with pytest.raises(StoreError, match="was opened read-only"):
            reader.writer.publish([], reader.snapshot().documents())
        with pytest.raises(StoreError, match="was opened read-only"):
            reader.client.text("SET readonly = 0", None)
        assert visible_texts(reader) == {"a.txt": ["one"]}


# Tables


def test_every_table_writes_through_to_the_disk(store: Store) -> None:
    for table in ("collection", "manifest", "chunks", "texts"):
        definition = ask(store, f"SELECT create_table_query FROM system.tables WHERE name = '{table}'")
        assert "fsync_after_insert = 1" in definition
        assert "fsync_part_directory = 1" in definition
        if table != "collection":  # which is never merged: it has a row
            assert "min_rows_to_fsync_after_merge = 1" in definition
            assert "old_parts_lifetime = 60" in definition
            # or the engine starts 128 threads as soon as it has more than 100 of them to remove, and keeps the threads
            assert "concurrent_part_removal_threshold = 1000000" in definition


def test_an_insert_is_done_when_it_returns(store: Store) -> None:
    assert ask(store, "SELECT value FROM system.settings WHERE name = 'async_insert'") == "0"


@pytest.mark.either_back_end
@pytest.mark.parametrize(
    "change",
    [
        {"codes": np.ones((1, DIMENSIONS - 1), np.int8)},
        {"codes": np.ones((1, 0), np.int8)},
        {"scale": np.array([np.nan], np.float32)},
        {"scale": np.array([0], np.float32)},
        {"norm": np.array([np.inf], np.float32)},
        {"error": np.array([-1], np.float32)},
        {"error": np.array([np.nan], np.float32)},
    ],
)
def test_the_table_itself_refuses_a_wrong_dimension_and_an_unusable_scale(
    store: Store, change: dict[str, NDArray[np.generic]]
) -> None:
    draft = store.writer.begin(source_document("a.txt"))
    columns = chunk_columns(
        ChunkBatch([(draft, chunk) for chunk in chunks_of(["one"])], vectors_of(["one"])), range(1), None
    )
    with pytest.raises(StoreError, match="a row does not fit the table and nothing of the insert was stored"):
        store.client.insert("chunks", columns | change)
    assert row_count(store, "chunks") == 0


def test_a_vector_too_long_for_float32_is_refused_before_anything_is_stored(store: Store) -> None:
    codes = np.full((2, DIMENSIONS), 127, dtype=np.int8)
    vectors = QuantizedVectors(codes, np.array([1, 2e36], dtype=np.float32), np.zeros(2, dtype=np.int8))
    draft = store.writer.begin(source_document("a.txt"))
    with pytest.raises(InvalidVector, match=r"vector 1 has the length 7\.18e\+38, which float32 cannot hold"):
        store.writer.insert(ChunkBatch([(draft, chunk) for chunk in chunks_of(["one", "two"])], vectors))
    assert (row_count(store, "chunks"), draft.chunk_count) == (0, 0)


def test_the_norm_of_a_vector_near_the_float32_maximum_is_finite() -> None:
    codes = np.array([[127, 0], [3, 4]], dtype=np.int8)
    vectors = QuantizedVectors(codes, np.array([2.6e36, 1e30], dtype=np.float32), np.zeros(2, dtype=np.int8))
    assert vectors.norms().tolist() == pytest.approx([127 * 2.6e36, 5e30], rel=1e-6)
    assert np.isfinite(vectors.dequantize()).all()


def test_passages_need_a_vector_each() -> None:
    with pytest.raises(ValueError, match="0 chunks came with 1 vectors"):
        ChunkBatch([], vectors_of(["one"]))


# Threads


@pytest.mark.everyday("server")
def test_searches_in_eight_threads_see_no_error_and_no_mixture_while_documents_are_published(store: Store) -> None:
    publish_document(store, "a.txt", ["version 0"] * 5)
    failures: list[object] = []
    reads = [0] * 8
    done = threading.Event()

    def read(number: int) -> None:
        try:
            while not done.is_set() or not reads[number]:
                texts = [hit.text for hit in search(store, QUERY, 10)]
                if len(texts) != 5 or len(set(texts)) != 1:
                    failures.append(texts)
                reads[number] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for version in range(1, 6):
            publish_document(store, "a.txt", [f"version {version}"] * 5)
            store.garbage.collect_unseen()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(reads) > 0
