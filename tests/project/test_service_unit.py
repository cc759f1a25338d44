"""The systemd unit of docs/operations.md: its words, and what it says of the program."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

from rag.commands.command_line import make_parser
from rag.serve.limits import Limits
from sql.base.errors import EXIT_USAGE
from sql.base.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (PROJECT / "docs" / "operations.md").read_text()
UNIT = re.findall(r"```ini\n(\[Unit\].*?)```", PAGE, re.DOTALL)[0]
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
MOST_EXPOSED = 25  # tenths, of 100; a service without any of these lines has 96


def values(name: str) -> list[str]:
    """What the unit says of a name, a value for each of its lines."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_the_unit_starts_the_server_on_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = shlex.split(values("ExecStart")[0])
    assert program == "/opt/int8-rag/bin/int8-rag"
    for pair in shlex.split(values("Environment")[0]):
        monkeypatch.setenv(*pair.split("=", 1))
    options, settings = make_parser().parse_args(words), read_settings()
    assert (options.run.__name__, options.host, options.db) == ("serve", "127.0.0.1", "/var/lib/int8-rag/store")
    assert (str(settings.cache), settings.offline) == ("/var/cache/int8-rag", True)


def test_what_the_server_writes_lies_in_folders_that_systemd_makes_for_it() -> None:
    assert values("StateDirectory") == values("CacheDirectory") == ["int8-rag"]
    written = re.findall(r"RAG_(?:DB|CACHE)=(\S+)", values("Environment")[0])
    assert all(place.startswith(("/var/lib/int8-rag/", "/var/cache/int8-rag")) for place in written)
    assert values("ProtectSystem") == ["strict"]


def test_requests_in_work_have_the_time_to_end_and_a_wrong_command_line_is_not_tried_again() -> None:
    assert int(values("TimeoutStopSec")[0]) > Limits().seconds + 1
    assert int(values("RestartPreventExitStatus")[0]) == EXIT_USAGE


def test_no_secret_is_in_the_unit() -> None:
    assert values("EnvironmentFile") == ["-/etc/int8-rag/environment"]
    assert "TOKEN" not in values("Environment")[0] + values("ExecStart")[0]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that there is here."""
    path = tmp_path / "int8-rag.service"
    path.write_text(UNIT.replace("/opt/int8-rag/bin/int8-rag", sys.executable))
    return path


def complaints(unit: Path) -> list[str]:
    """What systemd says of the unit; a word that it does not know is no failure to it."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if unit.name in line]


@NEEDS_SYSTEMD
def test_systemd_knows_every_word_of_the_unit(unit: Path) -> None:
    assert complaints(unit) == []
    unit.write_text(unit.read_text().replace("NoNewPrivileges", "NoNewPriviledges"))
    assert "Unknown key" in complaints(unit)[0]


@NEEDS_SYSTEMD
def test_the_service_can_do_little_but_serve(unit: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
