"""A process that was forked from one with a store: it gets an error with the remedy at once, and ends as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import open_store, publish_document, run_python

if TYPE_CHECKING:
    from pathlib import Path

    from server import Server

PREPARED = """
import multiprocessing, os, sys, time
from sql.engine.client import Client, parse_location
from sql.store import Store
from sql.engine.statements import Statement
STORE = Store.open(sys.argv[1])
def use():
    try: print("seen", STORE.snapshot().chunk_texts(), flush=True)
    except Exception as error: print(type(error).__name__, error, flush=True)
def use_anew():
    try:
        with Store.open(sys.argv[1]) as store: print("seen", store.snapshot().chunk_texts(), flush=True)
    except Exception as error: print(type(error).__name__, error, flush=True)
def forked(work):
    child = os.fork()
    if child == 0:
        work()
        sys.exit(7)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ONE = "seen [('a.txt', 'one')]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with one document."""
    with open_store(tmp_path / "store") as store:
        publish_document(store, "a.txt", ["one"])
    return tmp_path / "store"


def said(location: Path | str, program: str) -> list[str]:
    """The lines of a program that has a store open and forks; it has a minute."""
    finished = run_python("-c", PREPARED + program, str(location))
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


@pytest.mark.everyday("use_anew-True", "use-False")
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("work", ["use", "use_anew"])
def test_a_forked_process_is_told_to_be_spawned_and_ends_and_the_other_goes_on(
    folder: Path, work: str, *, closed: bool
) -> None:
    before = "STORE.close()" if closed else "use()"
    lines = said(folder, f"{before}\nforked({work})\n{'use_anew()' if closed else 'use()'}\n")
    assert lines[-1] == ONE
    assert lines[-2] == "ended 7"
    assert lines[-3].startswith("StoreError this process was forked from process ")
    assert 'start processes by "spawn" (multiprocessing.get_context("spawn"))' in lines[-3]


@pytest.mark.slow
def test_workers_of_multiprocessing_get_the_error_too(folder: Path) -> None:
    lines = said(
        folder,
        "use()\nworker = multiprocessing.get_context('fork').Process(target=use)\nworker.start()\nworker.join(60)\n"
        "print(worker.exitcode)\nSTORE.close()\n",
    )
    assert lines[0] == ONE
    assert lines[1].startswith("StoreError this process was forked from")
    assert lines[2] == "0"


def test_a_forked_process_that_lives_on_does_not_keep_the_store(folder: Path) -> None:
    lines = said(
        folder,
        "import subprocess\nchild = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)\n"
        "STORE.close()\n"
        "print(subprocess.run([sys.executable, '-m', 'sql', 'SELECT 1', '--db', sys.argv[1]]).returncode)\n"
        "os.kill(child, 9)\nos.waitpid(child, 0)\n",
    )
    assert lines[-1] == "0"


@pytest.mark.slow
def test_a_process_forked_before_any_store_was_opened_may_use_one(folder: Path) -> None:
    program = PREPARED.replace("STORE = Store.open(sys.argv[1])", "STORE = None") + "forked(use_anew)\nuse_anew()\n"
    finished = run_python("-c", program, str(folder))
    assert finished.stdout.splitlines() == [ONE, "ended 7", ONE]


def test_a_client_of_a_server_is_not_shared_by_a_fork_and_a_new_one_is_fine(server: Server) -> None:
    location = server.dsn(server.new_database())
    with open_store(location) as store:
        publish_document(store, "a.txt", ["one"])
    lines = said(location, "use()\nforked(use)\nforked(use_anew)\nuse()\n")
    assert lines[0] == ONE
    assert (
        "from which this one was forked, and two processes cannot share a connection: open the store after" in lines[1]
    )
    assert lines[2:] == ["ended 7", ONE, "ended 7", ONE]


@pytest.mark.everyday("Nowhere")
@pytest.mark.parametrize(
    "zone",
    [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "Nowhere/Atlantis",
        "",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("<+03>-3", ":Europe/Berlin", "right/UTC", "UTC0")),
    ],
)
def test_a_store_works_in_any_time_zone_and_the_process_keeps_its_own(
    folder: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    program = (
        "import os, sys, time; before = time.localtime(0).tm_hour, time.tzname, os.environ['TZ']\n"
        "from sql.store import Store\n"
        "with Store.open(sys.argv[1]) as store: print(store.snapshot().chunk_texts())\n"
        "assert (time.localtime(0).tm_hour, time.tzname, os.environ['TZ']) == before\n"
    )
    finished = run_python("-c", program, str(folder))
    assert (finished.stdout, finished.stderr) == ("[('a.txt', 'one')]\n", "")


def test_a_time_zone_a_day_away_which_python_does_not_know_is_refused_with_a_sentence(folder: Path) -> None:
    program = "import os, time; os.environ['TZ'] = 'UTC-99'; time.tzset(); from rag.__main__ import main; main()"
    finished = run_python("-c", program, "list", "--db", str(folder))
    assert finished.stderr == "error: TZ=UTC-99: it is a day or more away from UTC: name a zone such as Europe/Berlin\n"
