"""Whenever Ctrl-C comes, and whatever the caller has closed, a command ends with a code and without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from support import PROJECT, open_store, publish_document, run_python

if TYPE_CHECKING:
    from pathlib import Path

# Runs a command as `python -m` does, and presses Ctrl-C at the moment when it imports a certain module.
PRESSED_AT_IMPORT = """
import os, runpy, signal, sys

class Person:
    def find_spec(self, name, path=None, target=None):
        if name == awaited:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

awaited, command = sys.argv[1:3]
sys.argv = [command, *sys.argv[3:]]
sys.meta_path.insert(0, Person())
runpy.run_module(command, run_name="__main__", alter_sys=True)
"""
# Ctrl-C where the interpreter can only say that it has ignored an exception.
PRESSED_IN_A_DESTRUCTOR = """
import os, signal
from sql.base.start import prepare_process

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

prepare_process()
Thing()
print("went on")
"""
PRESSED_AT_THE_END = """
import atexit, os, signal
from sql.base.start import prepare_process

prepare_process()
atexit.register(os.kill, os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("command", ["ingest", "rag", "sql"])
@pytest.mark.parametrize("awaited", ["sql.base.terminal", "importlib.metadata"])
def test_ctrl_c_while_a_command_starts_ends_it_with_130_and_one_word(command: str, awaited: str) -> None:
    finished = run_python("-c", PRESSED_AT_IMPORT, awaited, command, "--version")
    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "interrupted\n")


@pytest.mark.everyday("tokenizers")
@pytest.mark.parametrize(
    ("awaited", "arguments"),
    [
        ("numpy", ["ingest", ".", "--db", "new"]),
        ("tokenizers", ["ingest", ".", "--db", "new"]),
        ("chdb", ["sql", "SELECT 1"]),
        ("rag.retrieve.retriever", ["rag", "search", "cat", "--ranking", "words"]),
    ],
)
def test_ctrl_c_while_a_library_is_loaded_ends_the_command_with_130_and_one_word(
    awaited: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("the cat")
    store = open_store(tmp_path / ".rag")
    publish_document(store, "b.txt", ["the dog"])
    store.close()
    finished = subprocess.run(
        [sys.executable, "-c", PRESSED_AT_IMPORT, awaited, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in finished.stderr.splitlines() if not line.startswith("quantizing ")]  # the first time only
    assert (finished.returncode, finished.stdout, said) == (130, "", ["interrupted"])


@pytest.mark.parametrize("program", [PRESSED_IN_A_DESTRUCTOR, PRESSED_AT_THE_END])
def test_ctrl_c_where_no_exception_can_be_raised_is_not_ignored(program: str) -> None:
    finished = run_python("-c", program)
    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "interrupted\n")


def test_an_error_of_the_program_is_still_shown_as_what_it_is() -> None:
    program = "from sql.base.start import prepare_process\nprepare_process()\nraise LookupError('a fault')"
    finished = run_python("-c", program)
    assert finished.returncode == 1
    assert finished.stderr.endswith("LookupError: a fault\n")


def test_a_command_does_not_look_for_garbage_among_what_it_imports_nor_at_its_end() -> None:
    program = (
        "import atexit, gc\n"
        "from sql.base.start import prepare_process\n"
        "atexit.register(lambda: print(len(gc.get_objects())))  # of those that the end looks through\n"
        "prepare_process()\n"
        "before = [each['collections'] for each in gc.get_stats()]\n"
        "kept = [[] for _ in range(50_000)]\n"
        "print([each['collections'] for each in gc.get_stats()] == before)\n"
    )
    nothing, left = run_python("-c", program).stdout.split()
    assert nothing == "True"
    assert int(left) < 1000


def test_a_stream_that_the_caller_has_closed_is_not_taken_by_the_next_file_that_is_opened(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from sql.base.start import prepare_process\n"
        "prepare_process()\n"
        "print('into nothing')\n"
        "sys.stderr.write('into nothing')\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    file.write(str(file.fileno() > 2))\n"
    )
    shell = f'exec "{sys.executable}" -c "$0" "$1" <&- >&- 2>&-'
    finished = subprocess.run(["sh", "-c", shell, program, str(tmp_path / "file")], cwd=PROJECT, check=False)
    assert finished.returncode == 0
    assert (tmp_path / "file").read_text() == "True"


def test_a_character_that_stdout_cannot_encode_is_an_escape_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "猫.txt").write_text("the cat")
    finished = subprocess.run(
        [sys.executable, "-m", "ingest", str(tmp_path), "--dry-run"],
        cwd=PROJECT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.splitlines()[0] == f"add     {tmp_path}/\\u732b.txt"


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_command_cleans_up_and_says_by_which_signal_it_was_ended(number: int, code: int, word: str) -> None:
    program = (
        "import signal\n"
        "from sql.base.terminal import note, run_command\n"
        "def command(arguments):\n"
        "    try:\n"
        "        note('ready')\n"
        "        signal.pause()\n"
        "    finally:\n"
        "        note('cleaned up')\n"
        "run_command(command, [])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(number)
        assert process.stderr.read() == f"cleaned up\n{word}\n"
    assert process.returncode == code


def test_signals_that_the_caller_has_set_to_be_ignored_stay_ignored() -> None:
    program = (
        "import os, signal\n"
        "from sql.base.terminal import run_command\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "run_command(lambda arguments: os.kill(os.getpid(), signal.SIGTERM) or 0, [])\n"
        "print('went on')\n"
    )
    finished = run_python("-c", program)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "went on\n", "")


def test_the_console_scripts_start_where_the_modules_do() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, room in (("int8-rag", "rag"), ("int8-rag-ingest", "ingest"), ("int8-rag-sql", "sql")):
        assert scripts[name] == f"{room}.__main__:main"
        program = f"import sys, {room}.__main__\nprint(sorted(name for name in sys.modules if name.partition('.')[2]))"
        loaded = run_python("-c", program).stdout
        assert "'sql.base.start'" in loaded
        assert not any(name in loaded for name in ("'sql.base.terminal'", "command_line"))


@pytest.mark.parametrize("package", ["sql", "rag", "ingest"])
def test_nothing_that_takes_time_is_imported_before_ctrl_c_is_minded(package: str) -> None:
    program = (
        "import sys, runpy\n"  # runpy is what `python -m` runs
        "before = set(sys.modules)\n"
        f"import {package}, sql.base.start\n"
        "print(*sorted(set(sys.modules) - before - set(sys.builtin_module_names)))\n"  # those are no files
    )
    loaded = set(run_python("-c", program).stdout.split())
    assert loaded == {"__future__", package, "sql", "sql.base", "sql.base.errors", "sql.base.start"}
