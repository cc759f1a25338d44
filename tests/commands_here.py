"""The three commands in this process, as they end in one of their own, which would load every module once more.

A test of what only a process has starts one: signals, a lock that another one holds, what is loaded when.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import chdir, contextmanager
from importlib import import_module
from io import BytesIO, TextIOWrapper
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

from support import PROJECT

from sql.base.terminal import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COMMANDS = {"ingest": "ingest.command_line", "rag": "rag.commands.command_line", "sql": "sql.shell.command_line"}
STREAMS = ("stdin", "stdout", "stderr")


def run_here(
    command: str, *arguments: str, cwd: Path, environment: Mapping[str, str], given: str = ""
) -> CompletedProcess[str]:
    """What `python -m COMMAND ARGUMENTS` ends with in a folder, an environment and after what it is given to read."""
    written = [BytesIO(given.encode()), BytesIO(), BytesIO()]
    with chdir(cwd), environment_of(environment), streams_of(written):
        try:
            code = run_command(import_module(COMMANDS[command]).command, arguments)
        except SystemExit as end:  # a help text, or a wrong use
            code = int(end.code or 0)
    _, output, errors = (stream.getvalue().decode() for stream in written)
    return CompletedProcess([command, *arguments], code, output, errors)


def run_main(*arguments: str) -> CompletedProcess[str]:
    """What `python -m ARGUMENTS` ends with in the folder of the project, without settings of the user's."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    return run_here(*arguments, cwd=PROJECT, environment=unset)


def run_program_here(program: str, *, cwd: Path, environment: Mapping[str, str]) -> str:
    """What a program prints in a folder and an environment; what it has left open is closed, as when a process ends."""
    written, names = [BytesIO(), BytesIO(), BytesIO()], {"__name__": "__main__"}
    with chdir(cwd), environment_of(environment), streams_of(written), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # as Python does: a short program may leave a file open
        try:
            exec(compile(program, "<program>", "exec", dont_inherit=True), names)  # noqa: S102 - a page of ours
        finally:
            for one in names.values():
                if not isinstance(one, type) and hasattr(one, "close"):
                    one.close()
    return written[1].getvalue().decode()


@contextmanager
def environment_of(wanted: Mapping[str, str]) -> Iterator[None]:
    """Has these variables and no others."""
    before = dict(os.environ)
    change_environment(wanted)
    try:
        yield
    finally:
        change_environment(before)


def change_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


@contextmanager
def streams_of(written: list[BytesIO]) -> Iterator[None]:
    """Has these bytes as its standard streams, in the encoding that commands have where they are tested."""
    before = [getattr(sys, name) for name in STREAMS]
    ours = [TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace") for stream in written]
    for name, stream in zip(STREAMS, ours, strict=True):
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream, old in zip(STREAMS, ours, before, strict=True):
            setattr(sys, name, old)
            stream.flush()
            stream.detach()
