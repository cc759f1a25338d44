"""Export, import, backup and restore: the same documents, hits and scores elsewhere, or nothing at all."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from commands_here import run_main
from migration_worker import CHANGES, stop_before
from support import (
    DIMENSIONS,
    QUANTIZER,
    chunks_of,
    draft_document,
    identity,
    open_store,
    publish_document,
    retrieve,
    search,
    source_document,
    vectors_of,
    visible_texts,
)

from rag.index.vector_coder import VectorCoder
from rag.int8.quantization import quantize_query
from rag.text.analyser import ANALYSER, chunk_words
from sql.base.errors import StoreBusy, StoreError, StoreMismatch, UsageError
from sql.engine.client import Client, parse_location
from sql.engine.folders import locked
from sql.store import ChunkBatch, Store
from sql.upkeep.backup import copy_store
from sql.upkeep.transfer import Import, export_store, import_store, read_export

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = [
    quantize_query(np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)) for seed in range(3)
]
TEXTS = {"cats.txt": ["the cats sat", "a cat"], "dogs.txt": ["dogs run; -- 'x'"], "empty.txt": [], "page.html": ["one"]}


def make_store(folder: Path | str, quantizer: str = QUANTIZER) -> Store:
    """A store with words, metadata, an extracted text, float references, an empty and a deleted document."""
    store = Store.open(str(folder), write=True)
    store.prepare(identity(), quantizer, ANALYSER)
    coder = VectorCoder.for_store(store, identity())
    drafts = []
    for path, texts in (TEXTS | {"gone.txt": ["gone"]}).items():
        extracted = "one" if path == "page.html" else None
        draft = store.writer.begin(source_document(path, extracted, "".join(texts), {"name": path, "year": 1998}))
        drafts.append(draft)
        if texts:
            floats = vectors_of(texts).dequantize()
            if coder.needs_sample:
                coder.calibrate(floats)
            words = [chunk_words(text, "en") for text in texts]
            chunks = [(draft, chunk) for chunk in chunks_of(texts)]
            store.writer.insert(ChunkBatch(chunks, coder.encode(floats), words, {0: floats[0].tolist()}))
    store.writer.publish(drafts)
    store.writer.publish([], [document for document in store.snapshot().documents() if document.source == "gone.txt"])
    return store


def found(store: Store) -> list[list[tuple[str, int, str, float, object]]]:
    """Hits and scores of some searches by vectors and one by words."""
    hits = [search(store, query, 5) for query in QUERIES]
    hits += [retrieve(store, "cats", 5, ranking="words")]
    return [[(hit.source, hit.chunk_index, hit.text, hit.score, hit.metadata["year"]) for hit in some] for some in hits]


def exported(tmp_path: Path, quantizer: str = QUANTIZER) -> tuple[Path, list[object]]:
    """An export of a store, and what is found in the latter."""
    with make_store(tmp_path / "store", quantizer) as store:
        export_store(store, tmp_path / "export")
        return tmp_path / "export", list(found(store))


def imported(folder: Path, target: Path | str) -> Import:
    with Store.open(str(target), write=True) as store:
        return import_store(store, folder, read_export(folder))


def count(store: Store, table: str) -> bytes:
    return store.client.text(f"SELECT count() FROM {table}", "TabSeparated")


# Export and import


@pytest.mark.everyday("per dimension")
@pytest.mark.parametrize(
    "quantizer",
    [
        QUANTIZER,
        "asymmetric int8 per dimension",
        pytest.param("asymmetric int8 per collection", marks=pytest.mark.slow),
    ],
)
def test_an_imported_store_has_the_same_hits_and_scores(tmp_path: Path, quantizer: str) -> None:
    folder, before = exported(tmp_path, quantizer)
    assert imported(folder, tmp_path / "other") == Import(4, 4, 0)
    with Store.open(str(tmp_path / "other")) as store:
        assert found(store) == before
        assert store.snapshot().damaged_documents() == []
        assert visible_texts(store) == {path: texts for path, texts in TEXTS.items() if texts}
        assert {one.source for one in store.snapshot().documents()} == set(TEXTS)
        assert [count(store, table) for table in ("texts", "float_references", "lengths")] == [b"1\n", b"3\n", b"4\n"]
        assert store.epoch() == 1  # all at once


@pytest.mark.slow
def test_a_second_import_changes_nothing(tmp_path: Path) -> None:
    folder, _ = exported(tmp_path)
    imported(folder, tmp_path / "other")
    assert imported(folder, tmp_path / "other") == Import(0, 0, 4)
    with Store.open(str(tmp_path / "other")) as store:
        assert (store.epoch(), count(store, "chunks")) == (1, b"4\n")


@pytest.mark.slow
def test_an_import_replaces_older_versions_and_leaves_other_documents(tmp_path: Path) -> None:
    folder, _ = exported(tmp_path)
    with Store.open(str(tmp_path / "other"), write=True) as store:
        store.prepare(identity(), QUANTIZER, ANALYSER)
        store.writer.publish([draft_document(store, "cats.txt", ["old cats"], language="en")])
        store.writer.publish([draft_document(store, "mine.txt", ["mine"], language="en")])
    imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        texts = visible_texts(store)
        assert (texts["cats.txt"], texts["mine.txt"]) == (TEXTS["cats.txt"], ["mine"])
        assert store.snapshot().damaged_documents() == []


@pytest.mark.slow
def test_an_export_of_the_import_holds_the_same_rows(tmp_path: Path) -> None:
    folder, _ = exported(tmp_path)
    imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        export_store(store, tmp_path / "again")
    first, second = read_export(folder), read_export(tmp_path / "again")
    assert (first.documents, first.chunks) == (second.documents, second.chunks)
    assert {name: file["rows"] for name, file in first.files.items()} == {
        name: file["rows"] for name, file in second.files.items()
    }


@pytest.mark.slow
def test_many_documents_take_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql.store.rows.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("sql.store.writer.ROWS_PER_INSERT", 1)
    monkeypatch.setattr("sql.store.writer.WORD_ROWS_PER_INSERT", 1)
    folder, before = exported(tmp_path)
    assert len(list(folder.glob("chunks-*.parquet"))) > 1
    imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        assert found(store) == before


@pytest.mark.slow
def test_a_store_of_another_model_is_refused(tmp_path: Path) -> None:
    folder, _ = exported(tmp_path)
    with Store.open(str(tmp_path / "other"), write=True) as store:
        store.prepare(identity(model_sha256="d" * 64), QUANTIZER, ANALYSER)
        publish_document(store, "mine.txt", ["mine"])
    with pytest.raises(StoreMismatch, match="was built with"):
        imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        assert (visible_texts(store), count(store, "chunks")) == ({"mine.txt": ["mine"]}, b"1\n")


@pytest.mark.parametrize("number", [21, *(pytest.param(other, marks=pytest.mark.slow) for other in (19, 20, 22, 23))])
def test_an_import_that_is_stopped_publishes_nothing_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Stopped(BaseException):
        pass

    def stop() -> None:
        raise Stopped

    folder, before = exported(tmp_path)
    with monkeypatch.context() as patch:
        for name in CHANGES:
            patch.setattr(Client, name, getattr(Client, name))  # to be put back
        stop_before(number, stop)
        with pytest.raises(Stopped):
            imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other"), write=True) as store:
        assert store.epoch() == 0
    assert imported(folder, tmp_path / "other") == Import(4, 4, 0)
    with Store.open(str(tmp_path / "other")) as store:
        assert found(store) == before
        assert count(store, "chunks") == b"4\n"


def damage(folder: Path, how: str) -> None:
    chunks, summary = folder / "chunks-00001.parquet", folder / "export.json"
    if how == "truncated":
        chunks.write_bytes(chunks.read_bytes()[:-100])
    elif how == "missing":
        (folder / "manifest.parquet").unlink()
    elif how == "foreign":
        summary.write_text('{"files": []}')
    elif how == "no summary":
        summary.unlink()
    elif how == "another version":
        summary.write_text(json.dumps(json.loads(summary.read_text()) | {"version": 9}))
    elif how == "a path outside":
        record = json.loads(summary.read_text())
        record["files"]["../store/lock"] = {"rows": 0, "sha256": ""}
        summary.write_text(json.dumps(record))


@pytest.mark.everyday("truncated")
@pytest.mark.parametrize(
    "how",
    [
        *("truncated", "a path outside", "foreign"),
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("missing", "no summary", "another version")),
    ],
)
def test_files_that_are_not_what_was_exported_are_refused_before_a_store_is_made(tmp_path: Path, how: str) -> None:
    folder, _ = exported(tmp_path)
    damage(folder, how)
    ended = run_main("rag", "import", str(folder), "--db", str(tmp_path / "other"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "other").exists()


def test_rows_that_are_not_what_their_hash_says_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashlib import sha256

    from pyarrow import parquet

    folder, _ = exported(tmp_path)
    path = folder / "chunks-00001.parquet"
    table = parquet.read_table(path)
    names = table.column_names
    texts = ["forged" for _ in range(table.num_rows)]
    parquet.write_table(table.set_column(names.index("text"), "text", [texts]), path)
    record = json.loads((folder / "export.json").read_text())
    record["files"][path.name]["sha256"] = sha256(path.read_bytes()).hexdigest()
    (folder / "export.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match="is not what was exported"):
        imported(folder, tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        assert (store.epoch(), store.snapshot().chunk_count()) == (0, 0)


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_store(tmp_path / "store") as store:
        with monkeypatch.context() as patch:
            patch.setattr("sql.upkeep.transfer.write_summary", lambda path, found: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                export_store(store, tmp_path / "export")
        assert not (tmp_path / "export").exists()
        export_store(store, tmp_path / "export")
        with pytest.raises(StoreError, match="already exists"):
            export_store(store, tmp_path / "export")


def test_a_damaged_store_is_not_exported(tmp_path: Path) -> None:
    with make_store(tmp_path / "store") as store:
        store.client.text("DELETE FROM chunks WHERE text = 'a cat'", None)
        with pytest.raises(StoreError, match=r"cats\.txt: 1 of 2 chunks exist"):
            export_store(store, tmp_path / "export")


def test_the_commands_export_and_import(tmp_path: Path) -> None:
    make_store(tmp_path / "store").close()
    folder = str(tmp_path / "out")
    ended = run_main("rag", "export", folder, "--db", str(tmp_path / "store"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{folder}: 4 documents, 4 chunks of {tmp_path / 'store'}\n"
    ended = run_main("rag", "import", folder, "--db", str(tmp_path / "other"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "4 documents, 4 chunks imported, 0 documents were there" in ended.stdout


# Backup and restore


def test_a_backup_is_restored_with_everything_in_it(tmp_path: Path) -> None:
    with make_store(tmp_path / "store") as store:
        before = found(store)
    places = {name: parse_location(str(tmp_path / name)) for name in ("store", "backup", "restored")}
    assert copy_store(places["store"], places["backup"]) == (4, 4)
    shutil.rmtree(tmp_path / "store")
    assert copy_store(places["backup"], places["restored"]) == (4, 4)
    with open_store_again(tmp_path / "restored") as store:
        assert found(store) == before
        assert publish_document(store, "more.txt", ["more"]) == 3


def open_store_again(folder: Path) -> Store:
    return Store.open(str(folder), write=True)


@pytest.mark.slow
def test_a_backup_is_refused_where_it_would_overwrite_or_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path / "store").close()
    store, copy = parse_location(str(tmp_path / "store")), parse_location(str(tmp_path / "copy"))
    with locked(tmp_path / "store"), pytest.raises(StoreBusy):
        copy_store(store, copy)
    copy_store(store, copy)
    with pytest.raises(StoreError, match="already exists"):
        copy_store(store, copy)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert copy_store(store, parse_location(".")) == (4, 4)
    with pytest.raises(UsageError, match="is on a server: use BACKUP"):
        copy_store(parse_location("clickhouse://127.0.0.1:1/none"), copy)
    with pytest.raises(StoreError, match="there is no store"):
        copy_store(parse_location(str(tmp_path / "none")), parse_location(str(tmp_path / "new")))


def test_a_damaged_copy_is_not_put_in_place(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one", "two"])
        store.client.text("DELETE FROM chunks WHERE text = 'two'", None)
    with pytest.raises(StoreError, match=r"/a\.txt is damaged in the copy"):
        copy_store(parse_location(str(tmp_path / "store")), parse_location(str(tmp_path / "copy")))
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_the_commands_back_up_and_restore(tmp_path: Path) -> None:
    make_store(tmp_path / "store").close()
    ended = run_main("rag", "backup", str(tmp_path / "copy"), "--db", str(tmp_path / "store"))
    assert (ended.returncode, ended.stdout) == (0, f"{tmp_path / 'copy'}: 4 documents, 4 chunks, all sound\n")
    ended = run_main("rag", "restore", str(tmp_path / "copy"), "--db", str(tmp_path / "new"))
    assert (ended.returncode, ended.stdout) == (0, f"{tmp_path / 'new'}: 4 documents, 4 chunks, all sound\n")
