"""`kill -9` at random moments of writing: nothing acknowledged is lost, and nobody ever sees half a document."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from crash_worker import FLEETING, whole_versions
from server import Server, running_server
from support import PROJECT

from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORKER = PROJECT / "tests" / "crash_worker.py"


@dataclass
class Witness:
    """What the workers said before they were killed."""

    versions: dict[str, int] = field(default_factory=dict)
    deleting_at: int = 0
    gone_at: int = 0
    acknowledged: int = 0
    reads: int = 0
    violations: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """Takes down one line of a worker."""
        word, _, rest = line.strip().partition(" ")
        if word == "reads":
            self.reads += int(rest)
        elif word == "VIOLATION":
            self.violations.append(rest)
        elif word == "deleting":
            self.deleting_at = int(rest)
        elif word == "gone":
            self.gone_at = int(rest)
        elif word == "ack":
            version, _, names = rest.partition(" ")
            self.acknowledged += 1
            self.versions |= dict.fromkeys(names.split(","), int(version))


def run_until_killed(
    store: Path | str, seed: int, seconds: float, witness: Witness, kill: Callable[[], None] | None = None
) -> str:
    """Starts a worker, kills it `seconds` after its second acknowledgement; returns what it said on stderr.

    `kill` ends something else instead, after which the worker is expected to end by itself.
    """
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(store), str(seed)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    before = witness.acknowledged
    timer = threading.Timer(seconds, kill or process.kill)
    try:
        for line in process.stdout:
            witness.hear(line)
            if witness.acknowledged == before + 2 and timer.ident is None:
                timer.start()
    finally:
        timer.cancel()
        process.kill()
    _, errors = process.communicate()
    return errors


def check_store(location: Path | str, witness: Witness) -> None:
    """Opens the store as the next run would, and compares it with what was acknowledged."""
    with Store.open(str(location), write=True) as store:
        store.garbage.collect_unseen(grace_seconds=0)  # nobody else is at work
        assert store.snapshot().damaged_documents() == []
        versions = whole_versions(store.snapshot().chunk_texts())
        live = {document.generation for document in store.snapshot().documents()}
        stored = store.client.text(
            "SELECT generation FROM chunks UNION DISTINCT SELECT generation FROM lengths "
            "UNION DISTINCT SELECT generation FROM postings",
            "TSV",
        ).split()
    for name, version in witness.versions.items():
        if name == FLEETING and name not in versions:
            assert witness.deleting_at > version, f"{name}: version {version} was acknowledged and is gone"
        else:
            assert versions[name] >= version, (
                f"{name}: version {version} was acknowledged and {versions[name]} is there"
            )
    if FLEETING in versions and witness.gone_at > witness.versions[FLEETING]:
        assert versions[FLEETING] > witness.gone_at
    assert {int(generation) for generation in stored} <= live  # what the kill left behind has been swept


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_no_acknowledged_document_is_lost_half_or_mixed_when_the_writer_is_killed(
    tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    witness, choose = Witness(), random.Random(kills)
    for kill in range(kills):
        errors = run_until_killed(tmp_path / "store", kill, choose.uniform(0.4, 2.5), witness)
        assert witness.violations == []
        assert errors == ""
        check_store(tmp_path / "store", witness)
    with capsys.disabled():
        print(
            f"\n{kills} kills: {witness.acknowledged} acknowledgements and {witness.reads} whole-corpus reads checked"
        )
    assert witness.acknowledged > kills
    assert witness.reads > 0


@pytest.mark.parametrize("kills", [1, pytest.param(15, marks=pytest.mark.slow)])
def test_no_acknowledged_document_on_a_server_is_lost_half_or_mixed_when_a_writer_is_killed(
    server: Server, kills: int
) -> None:
    location, witness, choose = server.dsn(server.new_database()), Witness(), random.Random(kills)
    for kill in range(kills):
        errors = run_until_killed(location, kill, choose.uniform(0.2, 1.5), witness)
        assert (witness.violations, errors) == ([], "")
        check_store(location, witness)
    assert witness.acknowledged > kills
    assert witness.reads > 0


@pytest.mark.parametrize("kills", [1, pytest.param(15, marks=pytest.mark.slow)])
def test_no_acknowledged_document_is_lost_half_or_mixed_when_the_server_is_killed_and_started_again(kills: int) -> None:
    witness, choose = Witness(), random.Random(kills)
    with running_server() as own:
        location = own.dsn(own.new_database(), timeout=10)
        for kill in range(kills):
            errors = run_until_killed(location, kill, choose.uniform(0.2, 1.5), witness, own.kill)
            assert witness.violations == []
            assert "StoreUnreachable: clickhouse://127.0.0.1:" in errors.splitlines()[-1]
            own.start()
            check_store(location, witness)
    assert witness.acknowledged > kills
    assert witness.reads > 0
