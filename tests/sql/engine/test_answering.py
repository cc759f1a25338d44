"""A store that another process has open is read through that process: the same rows, no writing, and no end of either
process that leaves the other one waiting or with half an answer.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import PATIENCE, PROJECT, open_store, publish_document, run_python, visible_texts

from sql.base.errors import EXIT_BUSY, StoreBusy, StoreError
from sql.engine import answering, wire
from sql.engine.borrowed import BorrowedHandle
from sql.engine.entrance import Entrance
from sql.engine.wire import LENGTHS, PROTOCOL, SOCKET, HolderRefused, connect
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

# A process that does what it is told a line at a time: an expression, whose value it prints, or a statement.
OBEY = """
import sys, threading
from sql.store import Store
for line in sys.stdin:
    try:
        try: print(repr(eval(line)), flush=True)
        except SyntaxError: exec(line); print("done", flush=True)
    except Exception as error: print(f"{type(error).__name__}: {error}", flush=True)
"""
SLOW = (
    "SELECT count() FROM numbers(6000) WHERE NOT ignore(sleepEachRow(0.1)) SETTINGS max_block_size = 1"  # ten minutes
)
SLOW_READ = " UNION ALL ".join(["SELECT sleep(3)"] * 200)  # minutes, for one who may set nothing
RUNNING = "SELECT count() AS count FROM system.processes WHERE query LIKE '%sleep%' AND query NOT LIKE '%processes%'"


class Other:
    """Another process with a store, which does what it is told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OBEY], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, line: str) -> None:
        """Sends a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def do(self, line: str) -> str:
        """Sends a line and gives what it says to it."""
        self.tell(line)
        return self.heard()

    def end(self, how: int = signal.SIGKILL) -> None:
        """Ends it as the system does."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        self.process.wait(PATIENCE)


@contextmanager
def another() -> Iterator[Other]:
    """Another process, killed at the end."""
    other = Other()
    try:
        yield other
    finally:
        other.end()
        other.process.communicate()


@contextmanager
def writer(folder: Path) -> Iterator[Other]:
    """Another process that has the store open to write."""
    with another() as other:
        assert other.do("sys.path.insert(0, 'tests'); from support import *") == "done"
        assert other.do(f"store = open_store({str(folder)!r})") == "done"
        yield other


def until(condition: Any) -> None:
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def count(store: Store, sql: str) -> int:
    """The number that a statement of one row and column returns."""
    return int(store.client.rows(sql)[0]["count"])


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one document, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "store"
    with open_store(folder) as store:
        publish_document(store, "a.txt", ["one", "two"])
    return folder


@pytest.fixture
def folder(made_once: Path, tmp_path: Path) -> Path:
    """The folder of a store with one document."""
    return Path(shutil.copytree(made_once, tmp_path / "store", symlinks=True))


@pytest.fixture
def held(folder: Path) -> Iterator[Store]:
    """A store that this process has open to write, and answers for."""
    with open_store(folder) as store:
        yield store


@contextmanager
def borrowed(folder: Path) -> Iterator[BorrowedHandle]:
    """What another process would have of the store."""
    handle = BorrowedHandle(folder, "")
    try:
        yield handle
    finally:
        handle.close()


# Reading


def test_readers_see_each_publication_of_a_writer_that_is_at_work(folder: Path) -> None:
    with writer(folder) as other, Store.open(str(folder)) as store:
        assert visible_texts(store) == {"a.txt": ["one", "two"]}
        assert other.do("publish_document(store, 'b.txt', ['three'])") == "2"
        assert visible_texts(store) == {"a.txt": ["one", "two"], "b.txt": ["three"]}
        assert store.epoch() == 2
        assert other.do("draft_document(store, 'c.txt', ['four']) and None") == "None"
        assert "c.txt" not in visible_texts(store)


READS = [
    "SELECT text, codes, scale FROM chunks ORDER BY text",
    "SELECT 'a;b' AS a, '\\n\\t' AS b, [1, NULL] AS c, map('x', 1) AS d, toDateTime(86400) AS e, 1.5::Decimal(5, 2) AS f",
    "SET param_x = 'a;b'; SELECT {x:String} AS x",
    "WITH 1 AS a SELECT a",
    "SELECT 1 AS a LIMIT 0",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "DESCRIBE TABLE chunks",
    "SELECT # a comment; with a semicolon\n 1",
    "SELECT 1 UNION ALL SELECT 1",
    "SELEC 1",
    "SELECT * FROM nothing",
    "SELECT 1 FORMAT Nonsense",
    "INSERT INTO commits VALUES (1)",
    "DROP TABLE chunks",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a Int8')",
]


@pytest.mark.slow
def test_free_sql_returns_and_refuses_the_same_through_another_process(folder: Path) -> None:
    def outcomes(store: Store) -> list[Any]:
        found: list[Any] = []
        for sql in READS:
            for run in (store.client.rows, lambda sql: store.client.text(sql, None)):
                try:
                    found.append(run(sql))  # type: ignore[operator]
                except StoreError as error:
                    found.append((type(error), str(error).partition(" (Code")[0].partition(". Expected one of")[0]))
        return found

    with Store.open(str(folder)) as store:
        own = outcomes(store)
    with writer(folder), Store.open(str(folder)) as store:
        through = outcomes(store)
    assert len(through) == len(own)
    for sql, expected, found in zip([sql for sql in READS for _ in "12"], own, through, strict=True):
        if not isinstance(expected, tuple) or "failed" not in expected[1]:
            assert found == expected, sql
        else:
            assert found[0] is expected[0], sql


def test_commands_print_the_same_through_another_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = (
        ["sql", "SELECT text, timezone(), toDateTime(0) FROM chunks ORDER BY text"],
        ["rag", "stats", "--json"],
    )

    def outcomes() -> list[tuple[int, str, str]]:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        runs = [run_python("-m", *command, "--db", str(folder)) for command in commands]
        return [(run.returncode, run.stdout, run.stderr) for run in runs]

    alone = outcomes()
    assert [code for code, _, _ in alone] == [0, 0], alone
    assert "Asia/Tokyo\t1970-01-01 09:00:00" in alone[0][1]
    monkeypatch.setenv("TZ", "UTC")
    with writer(folder):
        assert outcomes() == alone


def test_a_store_that_another_process_begins_to_fill_is_not_called_empty(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with writer(place) as other:
        assert other.do("store.prepare(identity(), QUANTIZER)") == "None"
        with Store.open(str(place)) as store:
            assert store.emptiness.endswith("holds nothing yet: another process is writing it, ask again in a moment")
    with Store.open(str(place)) as store:
        assert "is empty: fill it with `python -m ingest" in store.emptiness


def test_a_reader_of_another_process_loads_no_engine(folder: Path) -> None:
    with open_store(folder):
        program = (
            "import sys; from sql.store import Store\n"
            "with Store.open(sys.argv[1]) as store: print(store.snapshot().chunk_count(), 'chdb' in sys.modules)"
        )
        assert run_python("-c", program, str(folder)).stdout == "2 False\n"


def test_a_writer_answers_while_a_statement_of_its_own_runs_and_python_is_busy(folder: Path) -> None:
    with writer(folder) as other:
        other.do("threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()")
        other.do(f"threading.Thread(target=lambda: store.client.rows({SLOW!r}), daemon=True).start()")
        with Store.open(str(folder)) as store:
            until(lambda: count(store, RUNNING) == 1)
            assert visible_texts(store) == {"a.txt": ["one", "two"]}
            assert count(store, RUNNING) == 1


# What a peer may not do


NOT_READS = [
    "KILL QUERY WHERE 1",
    "SYSTEM STOP MERGES",
    "SELECT 1; SYSTEM STOP MERGES",
    "SELECT 1 AS a$x$; SYSTEM STOP MERGES -- $x$",
    "SELECT 1 INTO OUTFILE '{file}'",
    "SELECT 1 INTO # and\n OUTFILE '{file}'",
    "SELECT 1 INTO/**/OUTFILE'{file}'",
    "SELECT 1 AS a$x$ INTO OUTFILE '{file}' -- $x$",
    "EXPLAIN SELECT 1 INTO OUTFILE '{file}'",
    "SELECT 1 INTO OUTFILE '{file}' TRUNCATE FORMAT CSV",
    "INSERT INTO FUNCTION file('{file}', 'CSV', 'a Int8') SELECT 1",
    "WITH 1 AS a INSERT INTO commits SELECT a",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "ALTER TABLE chunks DELETE WHERE 1",
    "DELETE FROM chunks WHERE 1",
    "TRUNCATE TABLE chunks",
    "OPTIMIZE TABLE chunks",
    "SET readonly = 0",
    "SET readonly = 0; DROP TABLE chunks",
    "SELECT 1 SETTINGS readonly = 0",
    "SET max_memory_usage = 0",
    "BACKUP TABLE chunks TO File('{file}')",
    "BEGIN TRANSACTION",
    "exit; DROP TABLE chunks",
    "",
    ";",
    "-- nothing",
]


def test_no_statement_of_a_peer_changes_anything_or_writes_a_file(held: Store, folder: Path, tmp_path: Path) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    file = tmp_path / "written"
    before = visible_texts(held), sorted(os.listdir(folder))
    with borrowed(folder) as handle:
        for sql in NOT_READS:
            with pytest.raises(DatabaseError):
                handle._backend.run(sql.replace("{file}", str(file)), {})
        with pytest.raises(DatabaseError, match="readonly"):
            handle.insert("chunks", [["three"]], column_names=["text"])
        assert handle._backend.run("SELECT value FROM system.settings WHERE name = 'readonly'", {}) == b"1\n"
    assert not file.exists()
    assert (visible_texts(held), sorted(os.listdir(folder))) == before


def frame(head: bytes, body: bytes = b"", *, head_length: int | None = None, body_length: int | None = None) -> bytes:
    return LENGTHS.pack(head_length or len(head), body_length or len(body)) + head + body


HELLO = frame(json.dumps({"protocol": PROTOCOL}).encode())


NONSENSE = [
    b"",
    b"\0",
    b"GET / HTTP/1.1\r\n\r\n",
    frame(b"{}"),
    frame(b"[]"),
    frame(b"not json"),
    frame(b"[" * 100_000),
    frame(b"", head_length=2**32 - 1),
    frame(b"{}", body_length=2**63),
    frame(b'{"protocol": 999}'),
    frame(b'{"protocol": 1, "zone": ["\x00"]}'),
    frame(b'{"protocol": 1, "zone": "Nowhere/\\u0000\'"}'),
    HELLO + frame(b"{}"),
    HELLO + frame(b'{"statement": 1}'),
    HELLO + frame(b'{"statement": "SELECT {x:UInt8}", "values": [1]}'),
    HELLO + frame(b'{"statement": "SELECT {x:UInt8}", "values": {"x": {"y": 1}}}'),
    HELLO + frame(b'{"statement": "SELECT \\ud800"}'),
    HELLO + frame(b'{"stop": true}') * 3,
    HELLO + frame(b'{"statement": "SELECT 1"}')[:-3],
    HELLO + frame(b'{"statement": "SELECT 1"}') * 20,
]


def test_a_peer_that_speaks_nonsense_and_leaves_harms_nobody(held: Store, folder: Path) -> None:
    for sent in NONSENSE:
        peer = connect(folder).socket
        with suppress(OSError):
            peer.sendall(sent)
        peer.close()
    with borrowed(folder) as handle:
        assert handle.query("SELECT 1 AS one").result_rows == [(1,)]
    until(lambda: not held.client._engine.answers._visits)  # type: ignore[union-attr]


def test_a_peer_that_connects_and_says_nothing_keeps_no_other_waiting(held: Store, folder: Path) -> None:
    silent = [connect(folder) for _ in range(5)]
    with borrowed(folder) as handle:
        assert handle.query("SELECT 1 AS one").result_rows == [(1,)]
    for peer in silent:
        peer.close()
    assert held.epoch() == 1


def test_readers_beyond_the_most_are_told_that_the_store_is_in_use(
    held: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_READERS", 2)
    with borrowed(folder), borrowed(folder):
        with pytest.raises(HolderRefused, match="2 connections read through it already"):
            BorrowedHandle(folder, "")
        finished = run_python("-m", "sql", "SELECT 1", "--db", str(folder))
        assert finished.returncode == EXIT_BUSY
        assert f"in use by process {os.getpid()}" in finished.stderr
    until(lambda: not held.client._engine.answers._visits)  # type: ignore[union-attr]
    with borrowed(folder) as handle:
        assert handle.ping()


def test_a_result_and_the_memory_for_it_are_bounded(held: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    monkeypatch.setattr(answering, "LARGEST_RESULT", 1_000_000)
    monkeypatch.setattr(answering, "memory_bytes", lambda: 200_000_000 * answering.MEMORY_SHARE)
    with borrowed(folder) as handle:
        with pytest.raises(DatabaseError, match="Limit for result exceeded"):
            handle.query("SELECT number FROM numbers(1000000)")
        with pytest.raises(DatabaseError, match="memory limit exceeded"):
            handle.query("SELECT length(groupArray(number)) FROM numbers(100000000)")
        assert handle.query("SELECT count() FROM numbers(1000)").result_rows == [(1000,)]
    assert held.epoch() == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user for once")
def test_a_process_of_another_user_gets_no_word_even_where_the_file_system_lets_it_in() -> None:
    program = (
        "import socket, sys\n"
        "peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])\n"
        f"peer.sendall({HELLO!r}); print(peer.recv(100))"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as place:  # where another user can look
        folder = Path(place) / "store"
        with open_store(folder):
            for path in (Path(place), folder):
                path.chmod(0o755)
            (folder / SOCKET).chmod(0o666)
            command = ["/usr/bin/env", "python3", "-c", program, str(folder / SOCKET)]
            for user, expected in ((0, "protocol"), (65534, "b''")):
                finished = subprocess.run(command, user=user, capture_output=True, text=True, timeout=PATIENCE)
                words = finished.stdout + finished.stderr
                assert expected in words or (user and "Error" in words), words


# How either process may end


def test_a_statement_of_a_reader_that_was_killed_is_stopped(held: Store, folder: Path) -> None:
    with another() as other:
        assert other.do(f"store = Store.open({str(folder)!r})") == "done"
        other.tell(f"store.client.rows({SLOW_READ!r})")
        until(lambda: count(held, RUNNING) == 1)
        other.end()
        until(lambda: count(held, RUNNING) == 0)
    until(lambda: not held.client._engine.answers._visits)  # type: ignore[union-attr]


def test_a_reader_whose_statement_was_cut_off_by_a_kill_takes_the_store_and_has_the_answer(folder: Path) -> None:
    with writer(folder) as other, Store.open(str(folder)) as store:
        assert store.epoch() == 1
        assert store.client._engine is None
        os.kill(other.process.pid, signal.SIGSTOP)
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(visible_texts(store)))
        asking.start()
        other.end()
        asking.join(PATIENCE)
        assert found == [{"a.txt": ["one", "two"]}]
        assert store.client._engine is not None


def test_readers_go_on_when_the_writer_ends_one_with_an_engine_and_the_others_through_it(folder: Path) -> None:
    with writer(folder) as first, another() as reader, Store.open(str(folder)) as store:
        snapshot, rows = store.snapshot(), [("a.txt", "one"), ("a.txt", "two")]
        assert snapshot.chunk_texts() == rows
        reader.do(f"store = Store.open({str(folder)!r}); snapshot = store.snapshot()")
        assert reader.do("snapshot.chunk_texts()") == repr(rows)
        assert first.do("store.close()") == "None"
        assert snapshot.chunk_texts() == rows
        assert store.client._engine is not None
        assert reader.do("(snapshot.chunk_texts(), store.client._engine is None)") == repr((rows, True))
        store.close()
        assert reader.do("(snapshot.chunk_texts(), store.client._engine is None)") == repr((rows, False))
        with pytest.raises(StoreBusy):
            Store.open(str(folder), write=True)
        with Store.open(str(folder)) as again:
            assert visible_texts(again) == {"a.txt": ["one", "two"]}


def test_what_was_set_on_a_connection_is_set_on_the_next_one(folder: Path) -> None:
    with writer(folder) as other, Store.open(str(folder)) as store:
        store.client.text("SET param_x = 'it''s; a'", None)
        asked = "SELECT {x:String} AS x"
        assert store.client.rows(asked) == [{"x": "it's; a"}]
        other.end()
        assert store.client.rows(asked) == [{"x": "it's; a"}]


def test_what_a_reader_has_begun_to_read_stays_whatever_opens_the_store_next(folder: Path) -> None:
    dead = "SELECT count() AS count FROM chunks WHERE text IN ('one', 'two')"
    with writer(folder) as first, Store.open(str(folder)) as store:
        snapshot = store.snapshot()
        first.do("publish_document(store, 'a.txt', ['new'])")
        first.do("store.close()")
        with writer(folder) as second:
            assert second.do("store.garbage.collect_at_once()") == "0"
            assert snapshot.chunk_texts() == [("a.txt", "one"), ("a.txt", "two")]
            assert store.client._engine is None
            store.close()
            assert second.do("store.garbage.collect_at_once()") == "1"
            assert second.do(f"store.client.rows({dead!r})") == "[{'count': 0}]"


def test_a_store_that_takes_the_place_of_another_is_not_taken_for_it(folder: Path, tmp_path: Path) -> None:
    from sql.engine.folders import exchange_stores

    with open_store(tmp_path / "next") as new:
        publish_document(new, "b.txt", ["else"])
    with writer(folder) as other, Store.open(str(folder)) as store:
        assert store.epoch() == 1
        other.end()
        exchange_stores(folder, tmp_path / "next")
        with pytest.raises(StoreError, match="was replaced by another one while it was open: open it again"):
            store.epoch()


def test_an_interrupted_statement_is_stopped_and_the_reader_goes_on(held: Store, folder: Path) -> None:
    program = (
        "import sys; from sql.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "store.client.text('SET param_x = 7', None)\n"
        f"try: store.client.rows({SLOW_READ!r})\n"
        "except KeyboardInterrupt: store.client.cancel()\n"
        "print(store.client.rows('SELECT {x:UInt8} AS x'), store.epoch(), flush=True)\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: count(held, RUNNING) == 1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "[{'x': 7}] 1\n"
    assert process.returncode == 0
    until(lambda: count(held, RUNNING) == 0)


def test_a_statement_that_is_stopped_in_the_writer_does_not_stop_those_of_readers(held: Store, folder: Path) -> None:
    with borrowed(folder) as handle:
        asking = threading.Thread(target=lambda: suppress(Exception) and handle.query("SELECT sleep(3)"))
        asking.start()
        until(lambda: count(held, RUNNING) == 1)
        held.client._interrupted = True
        held.client.cancel()
        assert count(held, RUNNING) == 1
        asking.join()


def test_a_store_is_closed_although_a_statement_of_a_reader_would_take_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "CLOSING_SECONDS", 0.1)
    store = open_store(folder)
    with another() as reader:
        assert reader.do(f"store = Store.open({str(folder)!r})") == "done"
        reader.tell(f"store.client.rows({SLOW_READ!r})")
        until(lambda: count(store, RUNNING) == 1)
        store.close()  # and the reader takes it over
        with pytest.raises(StoreBusy):
            until(lambda: open_store(folder).close())
        reader.end()
    with open_store(folder) as store:
        assert store.epoch() == 1


def test_a_forked_process_that_lives_on_does_not_keep_a_reader_waiting(folder: Path) -> None:
    with writer(folder) as other, Store.open(str(folder)) as store:
        assert store.epoch() == 1
        child = int(other.do("__import__('os').fork() or [__import__('time').sleep(600)]"))
        try:
            assert other.do("store.close()") == "None"
            assert store.epoch() == 1
            assert store.client._engine is not None
        finally:
            os.kill(child, signal.SIGKILL)


# The socket


def test_the_socket_is_for_its_owner_alone_and_goes_with_the_store(folder: Path) -> None:
    with open_store(folder):
        assert (folder / SOCKET).lstat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(folder)) == ["data", "int8-rag-store", "lock", "tmp"]


def test_a_socket_that_a_killed_process_has_left_is_in_nobodys_way(folder: Path) -> None:
    with writer(folder) as other:
        other.end()
    assert (folder / SOCKET).is_socket()
    with Store.open(str(folder)) as store:
        assert visible_texts(store) == {"a.txt": ["one", "two"]}
        with borrowed(folder) as handle:
            assert handle.ping()
    assert not (folder / SOCKET).exists()


def test_what_bears_the_name_of_the_socket_is_left_and_readers_are_told_that_the_store_is_in_use(folder: Path) -> None:
    for make in (Path.mkdir, lambda path: path.symlink_to("x"), lambda path: path.write_text("mine")):
        make(folder / SOCKET)
        with open_store(folder):
            assert json.loads((folder / "lock").read_text())["answers"] is False
            assert os.path.lexists(folder / SOCKET)
            if (folder / SOCKET).is_file():
                finished = run_python("-m", "sql", "SELECT 1", "--db", str(folder))
                assert finished.returncode == EXIT_BUSY
                assert f"is in use by process {os.getpid()} (python" in finished.stderr
                assert finished.stderr.rstrip().endswith("wait until it has ended, or use another --db")
        if (folder / SOCKET).is_dir():
            (folder / SOCKET).rmdir()
        else:
            (folder / SOCKET).unlink()


def test_a_folder_with_a_long_path_is_read_through_another_process_too(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a long name of a folder"] * 12, "store")
    assert len(str(folder)) > 2 * struct.calcsize("108s")
    with open_store(folder) as store, borrowed(folder) as handle:
        publish_document(store, "a.txt", ["one"])
        assert handle.query("SELECT text FROM chunks").result_rows == [("one",)]


def test_a_process_that_opens_the_store_just_now_is_waited_for(folder: Path) -> None:
    from sql.engine.lock import acquire_lock, release_lock

    lock = acquire_lock(folder / "lock", answers=True)
    found: list[str] = []

    def ask() -> None:
        with pytest.raises(StoreBusy) as busy:
            Entrance(folder, read_only=True).connect()
        found.append(str(busy.value))

    asking = threading.Thread(target=ask)
    asking.start()
    listener = wire.listen(folder)
    try:
        peer = wire.accept(listener)
        assert peer is not None
        greeting = peer.receive(PATIENCE)
        assert greeting is not None
        assert greeting.head["protocol"] == PROTOCOL
        peer.send({"refused": "it is enough"})
        asking.join(PATIENCE)
        peer.close()
    finally:
        wire.stop_listening(folder, listener)
        release_lock(lock)
    (sentence,) = found
    assert f"in use by process {os.getpid()}" in sentence
    assert sentence.endswith("(it is enough)")


# Kills of either side


INGEST = """
import sys, time; sys.path.insert(0, "tests"); from support import *
with open_store(sys.argv[1]) as store:
    for number in range(10 ** 9):
        publish_document(store, f"{number % 3}.txt", [f"{number} {part}" for part in range(2 + number % 5)])
"""
READ = """
import sys; from sql.base.errors import StoreError, StoreBusy; from sql.store import Store
with Store.open(sys.argv[1]) as store:
    while True: print(repr(store.snapshot().chunk_texts()), flush=True)
"""


def check_whole(rows: list[tuple[str, str]]) -> None:
    """Each document has all the chunks of one version, and each of them once."""
    for source in {source for source, _ in rows}:
        texts = [text for where, text in rows if where == source]
        (number,) = {int(text.split()[0]) for text in texts}
        assert source == f"{number % 3}.txt"
        assert texts == [f"{number} {part}" for part in range(2 + number % 5)]


def reads_through_kills(folder: Path, reads: int) -> None:
    """Reads while a writer is at work; now that one is killed, now the reader, and another takes the place."""

    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, str(folder)]
        return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    begun: list[subprocess.Popen[str]] = []
    try:
        ingest = start(INGEST)
        begun.append(ingest)
        reader: subprocess.Popen[str] | None = None
        done = 0
        while done < reads:
            if reader is None:
                reader = start(READ)
                begun.append(reader)
            assert reader.stdout is not None
            line = reader.stdout.readline()
            assert line.endswith("\n"), "a reader ended by itself"
            check_whole(ast.literal_eval(line))
            done += 1
            if done % 10 == 5:
                ingest.kill()
                ingest.wait()  # the reader goes on by itself
            elif done % 10 == 0:
                reader.kill()
                reader.wait()
                reader = None
                if ingest.poll() is not None:
                    ingest = start(INGEST)
                    begun.append(ingest)
    finally:
        for process in begun:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    with open_store(folder) as store:
        check_whole(store.snapshot().chunk_texts())
        assert store.snapshot().damaged_documents() == []


def test_every_read_is_whole_although_the_writer_and_the_reader_are_killed(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "0.txt", ["0 0", "0 1"])
    reads_through_kills(tmp_path / "store", 8)


@pytest.mark.slow
def test_a_hundred_reads_are_whole_although_the_writer_and_the_reader_are_killed(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        publish_document(store, "0.txt", ["0 0", "0 1"])
    reads_through_kills(tmp_path / "store", 100)


# Readers that give the store to a writer


def test_a_reader_that_yields_reads_on_while_a_writer_comes_and_goes(folder: Path) -> None:
    with Store.open(str(folder), yields=True) as reader:
        epochs, slow, errors = [reader.epoch()], list[int](), list[Exception]()
        ended = threading.Event()

        def read() -> None:
            while not ended.is_set():
                try:
                    epochs.append(reader.epoch())
                    assert visible_texts(reader)["a.txt"] == ["one", "two"]
                except Exception as error:
                    errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        # The writer has to wait for this one, which is as long as its process takes to start, and longer.
        threads.append(threading.Thread(target=lambda: slow.append(count(reader, "SELECT sleep(3) AS count"))))
        for thread in threads:
            thread.start()
        with writer(folder) as other:
            assert slow == [0]
            assert int(other.do("publish_document(store, 'b.txt', ['three'])")) > epochs[0]
            until(lambda: "b.txt" in visible_texts(reader))
            assert reader.client.changes is None  # it reads through the other process
            assert other.do("store.close()") == "None"
        until(lambda: reader.client.changes is not None)  # and has the store again
        ended.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert reader.epoch() == epochs[-1] > epochs[0]


def test_a_reader_does_not_yield_while_another_of_its_process_needs_the_store(folder: Path) -> None:
    with Store.open(str(folder), yields=True) as reader, Store.open(str(folder)), another() as other:
        assert other.do("sys.path.insert(0, 'tests'); from support import *") == "done"
        assert other.do(f"open_store({str(folder)!r})").startswith("StoreBusy: the store")
        assert "a.txt" in visible_texts(reader)
