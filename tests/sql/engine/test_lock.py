"""One process at a time on a store: the second is told at once who has it, and no lock outlives its process."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support import PROJECT, open_store, publish_document, run_python, visible_texts

from sql.base.errors import EXIT_BUSY, StoreBusy
from sql.engine.lock import acquire_lock, describe_holder, release_lock
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD_STORE = """
import sys, time
from sql.store import Store
with Store.open(sys.argv[1], write=True) as store:
    print("open", flush=True)
    time.sleep(60)
"""
HOLD_LOCK = """
import sys, time
from pathlib import Path
from sql.engine.lock import acquire_lock
acquire_lock(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with one document."""
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
    return tmp_path / "store"


@contextmanager
def holder(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `program` on a path, once it has it open; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "open\n", process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_every_command_on_a_store_in_use_ends_at_once_with_75_and_names_the_holder(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    with holder(HOLD_LOCK, folder / "lock") as process:  # and answers nobody, as a backup does
        for command in (
            ["rag", "search", "a question"],
            ["rag", "ask", "a question"],
            ["ingest", str(tmp_path / "docs")],
            ["ingest", str(tmp_path / "docs"), "--dry-run"],
            ["sql", "SELECT 1"],
        ):
            finished = run_python("-m", *command, "--db", str(folder))
            assert (finished.returncode, finished.stdout) == (EXIT_BUSY, "")
            assert finished.stderr.startswith(
                f"error: the store {folder} is in use by process {process.pid} (python -c "
            )
            assert "since 20" in finished.stderr
            assert finished.stderr.rstrip().endswith("wait until it has ended, or use another --db")
            assert len(finished.stderr.strip().splitlines()) == 1


def test_a_store_that_another_process_has_open_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    with holder(HOLD_STORE, folder) as process:
        for command in (["ingest", str(tmp_path / "docs")], ["sql", "--write", "SELECT 1"]):
            finished = run_python("-m", *command, "--db", str(folder))
            assert (finished.returncode, finished.stdout) == (EXIT_BUSY, "")
            assert finished.stderr.startswith(f"error: the store {folder} is in use by process {process.pid} (python ")


@pytest.mark.parametrize("write", [False, True])
def test_the_lock_is_asked_for_once_and_nobody_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, write: bool
) -> None:
    asked, flock = [], fcntl.flock

    def watched(descriptor: int, how: int) -> None:
        asked.append(how)
        flock(descriptor, how)

    program, path = (HOLD_STORE, folder) if write else (HOLD_LOCK, folder / "lock")
    with holder(program, path):
        monkeypatch.setattr(fcntl, "flock", watched)
        monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it waits {seconds} s"))
        with pytest.raises(StoreBusy):
            Store.open(str(folder), write=write)
        assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB]


def test_a_store_can_be_opened_after_its_holder_was_killed(folder: Path) -> None:
    with holder(HOLD_STORE, folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Store.open(str(folder)) as store:
            assert visible_texts(store) == {"a.txt": ["one"]}


def test_a_store_can_be_opened_by_another_process_once_it_is_closed(folder: Path) -> None:
    with Store.open(str(folder)):
        assert run_python("-m", "sql", "--write", "SELECT 1", "--db", str(folder)).returncode == EXIT_BUSY
    finished = run_python("-m", "sql", "SELECT 1 AS one", "--db", str(folder))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "one\n1\n", "")


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00{", b"[1, 2]", b'{"pid": 1}', b"null", b"x" * 100_000])
def test_garbage_in_the_lock_file_keeps_nobody_out(folder: Path, garbage: bytes) -> None:
    (folder / "lock").write_bytes(garbage)
    with Store.open(str(folder)) as store:
        assert visible_texts(store) == {"a.txt": ["one"]}
        assert json.loads((folder / "lock").read_text())["pid"] == os.getpid()
    assert (folder / "lock").read_bytes() == b""


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00{", b"[1, 2]", b'{"pid": 1}', b"null"])
def test_a_holder_that_left_no_name_is_still_a_holder(tmp_path: Path, garbage: bytes) -> None:
    with holder(HOLD_LOCK, tmp_path / "lock"):
        (tmp_path / "lock").write_bytes(garbage)
        with pytest.raises(StoreBusy, match="in use by another process, which is just opening or closing it"):
            acquire_lock(tmp_path / "lock")


def test_the_holder_is_named_by_its_command_as_it_was_typed(tmp_path: Path) -> None:
    record = {"pid": 7, "command": "python -m ingest docs", "since": "2026-01-02T03:04:05+00:00"}
    sentence = describe_holder(tmp_path / "lock", json.dumps(record).encode())
    assert "is in use by process 7 (python -m ingest docs) since 2026-01-02T03:04:05+00:00: wait" in sentence


def test_a_lock_is_free_again_after_release(tmp_path: Path) -> None:
    for _ in range(3):
        release_lock(acquire_lock(tmp_path / "lock"))


def test_a_lock_does_not_pass_to_a_child_process(tmp_path: Path) -> None:
    descriptor = acquire_lock(tmp_path / "lock")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        release_lock(descriptor)
        release_lock(acquire_lock(tmp_path / "lock"))
    finally:
        child.kill()
        child.wait()


def test_payloads_of_killed_inserts_are_removed_when_the_store_is_opened_and_nothing_else_is(folder: Path) -> None:
    for name in ("insert-x1y2z3", "tmpabc12_x9.raw", "tmpabc12_x9.native"):  # the last two are of older versions
        (folder / "tmp" / name).write_bytes(b"rows of an insert")
    for name in ("thesis.txt", "tmp.raw", "notes.native"):
        (folder / "tmp" / name).write_bytes(b"years of work")
    with Store.open(str(folder)):
        assert sorted(path.name for path in (folder / "tmp").iterdir()) == ["notes.native", "thesis.txt", "tmp.raw"]


def test_inserts_leave_nothing_in_any_temporary_folder(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tests'); from support import *\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, arguments: event == 'tempfile.mkstemp' and seen.append(arguments[0]))\n"
        "with open_store(Path(sys.argv[1])) as store: publish_document(store, 'b.txt', ['two'])\n"
        "own = Path(sys.argv[1]).resolve()\n"
        "assert seen and all(Path(path).parent in {own / 'tmp', own / 'data'} for path in seen), seen\n"
        "assert not any((own / 'tmp').iterdir())\n"
    )
    finished = run_python("-c", program, str(folder))
    assert (finished.returncode, finished.stderr) == (0, "")
