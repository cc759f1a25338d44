"""Many threads on one store: what each has published is there, whole and once, and nothing of the process is changed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, count
from typing import TYPE_CHECKING

import pytest
from support import draft_document, open_store, publish_document, visible_texts

from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THREADS, ROUNDS = 6, 2


@pytest.fixture(params=["embedded", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new folder, or a new database of a server."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    server = request.getfixturevalue("server")
    return str(server.dsn(server.new_database()))


@pytest.mark.everyday("server")
def test_threads_that_write_through_one_store_and_through_another_lose_nothing(place: str) -> None:
    start = threading.Barrier(THREADS)

    def write(stores: list[Store], number: int) -> list[int]:
        store, epochs = stores[number % len(stores)], []
        start.wait()
        for round_ in range(ROUNDS):
            drafts = [draft_document(store, f"{number}-{round_}.txt", ["text", f"{number}"])]
            drafts.append(draft_document(store, f"{number}.txt", [f"version {round_}"]))
            epochs.append(store.writer.publish(drafts))
            if not store.client.is_server:
                store.garbage.collect_unseen(grace_seconds=0)
        return epochs

    with open_store(place) as one, open_store(place) as other, ThreadPoolExecutor(THREADS) as pool:
        epochs = sorted(chain(*pool.map(lambda number: write([one, other], number), range(THREADS))))
        assert one.snapshot().damaged_documents() == []
        found = visible_texts(other)
    assert epochs == list(range(1, THREADS * ROUNDS + 1))
    assert found == {f"{n}-{r}.txt": ["text", f"{n}"] for n in range(THREADS) for r in range(ROUNDS)} | {
        f"{n}.txt": [f"version {ROUNDS - 1}"] for n in range(THREADS)
    }


def test_garbage_collection_of_one_store_leaves_the_drafts_of_another_alone(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as one, open_store(tmp_path / "store") as other:
        draft = draft_document(one, "a.txt", ["one"])
        assert other.garbage.collect_unseen(grace_seconds=0) == 0
        one.writer.publish([draft])
        assert visible_texts(other) == {"a.txt": ["one"]}
        draft_document(one, "b.txt", ["never published"])
    with open_store(tmp_path / "store") as again:
        assert visible_texts(again) == {"a.txt": ["one"]}
        assert again.client.text("SELECT uniqExact(generation) FROM chunks", "TSV") == b"1\n"


def test_inserts_change_nothing_that_other_threads_of_the_process_use(tmp_path: Path) -> None:
    seen, done = set(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(tempfile.tempdir)

    before = tempfile.tempdir
    watcher = threading.Thread(target=watch)
    with open_store(tmp_path / "store") as store:
        watcher.start()
        for number in range(10):
            publish_document(store, f"{number}.txt", ["one"])
        done.set()
        watcher.join()
    assert seen == {before}


def test_threads_that_come_and_go_share_connections(tmp_path: Path) -> None:
    opened = count()
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
        connect = store.client._connect
        store.client._connect = lambda: (next(opened), connect())[1]
        for _ in range(20):
            thread = threading.Thread(target=lambda: store.snapshot().chunk_count())
            thread.start()
            thread.join()
    assert next(opened) == 0  # those of this thread were free


def test_readers_are_served_while_others_open_and_close_the_same_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])

        def read(_: int) -> dict[str, list[str]]:
            with Store.open(str(tmp_path / "store")) as own:
                return visible_texts(own)

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(read, range(3 * THREADS))) == [{"a.txt": ["one"]}] * 3 * THREADS


# A disk that fills up


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A small disk in memory, where this user may mount one; the test is skipped where not."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let us mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_garbage_that_a_full_disk_keeps_is_left_with_a_note_and_goes_when_there_is_room(tmp_path: Path) -> None:
    notes: list[str] = []
    texts = [f"text {number} " + "x" * 50 for number in range(2000)]
    with small_disk(tmp_path / "disk", "30m") as disk:
        with Store.open(str(disk / "store"), write=True, announce=notes.append) as store:
            with open_store(disk / "store") as same:  # makes the tables
                publish_document(same, "a.txt", texts)
                publish_document(same, "a.txt", ["new", *texts])
            with (disk / "filler").open("wb", buffering=0) as filler:
                while shutil.disk_usage(disk).free > 1_000_000:
                    filler.write(b"\0" * (1 << 16))
            assert store.garbage.collect_unseen(grace_seconds=0) == 0
            assert len(notes) == 1
            assert "old versions of documents could not be deleted from" in notes[0]
            assert "nothing is lost, free some space, and the next run deletes them" in notes[0]
            assert visible_texts(store)["a.txt"][0] == "new"
        with Store.open(str(disk / "store"), write=True, announce=notes.append) as store:  # collects garbage too
            assert len(notes) == 2
            assert visible_texts(store)["a.txt"][0] == "new"
        (disk / "filler").unlink()
        with Store.open(str(disk / "store"), write=True, announce=notes.append) as store:
            assert len(notes) == 2
            assert store.client.text("SELECT uniqExact(generation) FROM chunks", "TSV") == b"1\n"
