"""What the engine and Python have freed goes back to the system, where somebody asks for it or has said so before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import PATIENCE, PROJECT

from sql.base.settings import ENGINE_KEEPS_MILLISECONDS, free_engine_memory_soon

SCRATCH = "SELECT uniqExact(number, toString(number)) FROM numbers(1000000)"  # takes 80 MB, all of which it frees
SOME = 30.0  # MB of those

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the memory of a process is read from /proc"
)


def own_megabytes() -> float:
    """What this process has in memory that is no file."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1000


def kept_by_engine(folder: Path, milliseconds: int) -> tuple[float, float]:
    """MB that an engine that keeps memory for so long still has of what a statement took, and once told to give it back.

    In a process of its own: what other tests have left in this one may come and go in the meantime.
    """
    program = f"""
import sys
sys.path[:0] = [{str(PROJECT)!r}, {str(PROJECT / "tests")!r}, {str(Path(__file__).parent)!r}]
from sql.base import settings
settings.ENGINE_KEEPS_MILLISECONDS = {milliseconds}
settings.free_engine_memory_soon()
from support import open_store
from test_memory import SCRATCH, own_megabytes
with open_store({str(folder)!r}) as store:
    store.client.rows("SELECT 1")
    store.client.give_memory_back()
    before = own_megabytes()
    store.client.rows(SCRATCH)
    print(own_megabytes() - before)
    store.client.give_memory_back()
    print(own_megabytes() - before)
"""
    environment = {name: value for name, value in os.environ.items() if name != "JE_MALLOC_CONF"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    kept, left = done.stdout.split()
    return float(kept), float(left)


def test_what_a_statement_took_and_has_freed_is_given_back(tmp_path: Path) -> None:
    kept, left = kept_by_engine(tmp_path, 3_600_000)
    assert kept > SOME
    assert left < SOME


@pytest.mark.slow
def test_the_engine_keeps_freed_memory_only_for_as_long_as_it_was_told(tmp_path: Path) -> None:
    kept, _ = kept_by_engine(tmp_path, 0)
    assert kept < SOME


def test_what_the_user_has_told_the_engine_about_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JE_MALLOC_CONF", "")  # so that it is as before in the end
    monkeypatch.delenv("JE_MALLOC_CONF")
    free_engine_memory_soon()
    assert os.environ["JE_MALLOC_CONF"] == f"dirty_decay_ms:{ENGINE_KEEPS_MILLISECONDS}"
    monkeypatch.setenv("JE_MALLOC_CONF", "dirty_decay_ms:7")
    free_engine_memory_soon()
    assert os.environ["JE_MALLOC_CONF"] == "dirty_decay_ms:7"
