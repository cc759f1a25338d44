"""Migration, export, import and embedding again on a server, which does all of it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import version_1
from old_words import assert_made_anew, reader_finds, write_old_store
from support import QUANTIZER, identity, publish_document, write_tiny_checkpoint
from test_transfer import exported, found, imported, make_store

from ingest.reembed import reembed
from rag.encoder.encoder import load_encoder
from rag.index.word_index import add_words, remove_words
from rag.text.analyser import ANALYSER
from sql.base.errors import StoreError, StoreMismatch
from sql.base.settings import Settings
from sql.engine.client import Client, parse_location
from sql.store import Store
from sql.upkeep.transfer import Import, export_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.text.tokenizer import Tokenizer

servers = pytest.importorskip("server", reason="the server for tests is not there")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with servers.running_server() as running:
        yield running


@pytest.mark.slow
def test_a_server_store_of_version_1_is_migrated(server: Any) -> None:
    dsn = server.dsn(server.new_database())
    version_1.write_store(dsn)
    with Store.open(dsn, write=True) as store:
        assert add_words(store, "en") == 3
        assert store.snapshot().damaged_documents() == []
        assert store.epoch() == version_1.LAST_EPOCH
        assert store.snapshot().chunk_count() == 6
        store.prepare(identity(), QUANTIZER, ANALYSER)  # as every writer does: the lease is made, too
        assert publish_document(store, "more.txt", ["more"]) == version_1.LAST_EPOCH + 1


@pytest.mark.slow
def test_words_of_an_older_analyser_are_made_anew_on_a_server_and_readers_are_told(server: Any) -> None:
    dsn = server.dsn(server.new_database())
    write_old_store(dsn)
    with Store.open(dsn) as reader, Store.open(dsn, write=True) as writer:
        assert reader_finds(reader) == "refused"
        remove_words(writer)
        assert reader_finds(reader) == "refused"
        assert add_words(writer) == 2
        assert reader_finds(reader) == "all"
        assert_made_anew(writer)


def test_an_export_of_a_folder_is_imported_into_a_server_and_back(server: Any, tmp_path: Path) -> None:
    folder, before = exported(tmp_path)
    dsn = server.dsn(server.new_database())
    assert imported(folder, dsn) == Import(4, 4, 0)
    assert imported(folder, dsn) == Import(0, 0, 4)
    with Store.open(dsn) as store:
        assert found(store) == before
        export_store(store, tmp_path / "back")
    imported(tmp_path / "back", tmp_path / "other")
    with Store.open(str(tmp_path / "other")) as store:
        assert found(store) == before


def test_a_server_store_is_restored_from_the_servers_own_backup(server: Any) -> None:
    database = server.new_database()
    dsn = server.dsn(database)
    make_store(dsn).close()
    with Store.open(dsn) as store:
        before = found(store)
    backup = f"Disk('backups', '{database}')"
    server.ask(f"BACKUP DATABASE {database} TO {backup}")
    server.ask(f"DROP DATABASE {database} SYNC")
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(dsn)
    server.ask(f"RESTORE DATABASE {database} FROM {backup}")
    with Store.open(dsn, write=True) as store:
        assert found(store) == before
        assert store.snapshot().damaged_documents() == []
        assert publish_document(store, "more.txt", ["more"]) == store.epoch()


@pytest.mark.slow
def test_a_server_store_is_embedded_again_into_a_second_database(
    server: Any, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    settings = Settings(store="", model=None, cache=tmp_path / "cache", offline=True, compute="fp32")
    model = str(write_tiny_checkpoint(tmp_path / "model", tokenizer, dimensions=12, model_sha256="c" * 64))
    first, second = server.dsn(server.new_database()), server.dsn(server.new_database())
    make_store(first).close()
    assert [reembed(settings, model, first, second).documents for _ in range(2)] == [4, 0]
    with Store.open(second) as store:
        assert store.snapshot().damaged_documents() == []
        assert [one.source for one in store.snapshot().documents()] == sources_of(first)
        store.made_with.check_encoder(load_encoder(settings, model).identity)


def sources_of(dsn: str) -> list[str]:
    with Store.open(dsn) as store:
        return [one.source for one in store.snapshot().documents()]


def test_a_reader_of_an_old_server_store_changes_nothing(server: Any) -> None:
    dsn = server.dsn(server.new_database())
    version_1.write_store(dsn)
    with pytest.raises(StoreMismatch, match="python -m rag migrate"):
        Store.open(dsn)
    client = Client(parse_location(dsn))
    assert client.text("SELECT max(schema_version) FROM collection", "TabSeparated") == b"1\n"
    client.close()
