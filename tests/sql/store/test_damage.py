"""A file of a store that was damaged on its disk: nobody is told that all is well, or that there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import open_store, publish_document

from sql.base.errors import StoreError
from sql.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def data_file(store: Path, table: str) -> Path:
    """The file with the columns of the first part of a table."""
    return min(store.glob(f"data/data/*/{table}/all_*/data.bin"))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    with open_store(str(tmp_path / "store")) as store:
        publish_document(store, "a.txt", ["one"])
    return tmp_path / "store"


def test_a_reader_is_refused_where_a_file_of_the_chunks_was_cut_short(stored: Path) -> None:
    data_file(stored, "chunks").write_bytes(b"")
    for _ in range(2):  # the engine sets the part aside the first time, and has nothing to say the second time
        with pytest.raises(
            StoreError, match=r"damaged: 1 file of the table chunks cannot be read.*with all folders mends"
        ):
            Store.open(str(stored))


def test_a_writer_is_told_of_it_and_may_go_on(stored: Path) -> None:
    data_file(stored, "chunks").write_bytes(b"")
    told: list[str] = []
    with Store.open(str(stored), write=True, announce=told.append) as store:
        assert store.snapshot().damaged_documents() != []
    assert "1 file of the table chunks cannot be read, and what it held is lost" in told[0]


@pytest.mark.everyday("True")
@pytest.mark.parametrize("table", ["manifest", "collection"])
@pytest.mark.parametrize("write", [False, True])
def test_what_no_ingest_brings_back_is_an_error_for_all(stored: Path, table: str, write: bool) -> None:
    data_file(stored, table).write_bytes(b"")
    with pytest.raises(
        StoreError, match=f"file of the table {table} cannot be read.*restore a backup, or ingest into a new"
    ):
        Store.open(str(stored), write=write)


def test_a_file_that_holds_other_bytes_is_called_damaged(stored: Path) -> None:
    path = data_file(stored, "chunks")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(255 - byte for byte in content[middle : middle + 8])
    path.write_bytes(content)
    with (
        Store.open(str(stored)) as store,
        pytest.raises(StoreError, match="a file of the store is damaged: restore a backup"),
    ):
        store.client.text("SELECT * FROM chunks", "TabSeparated")
