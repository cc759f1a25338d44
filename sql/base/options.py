"""What the command lines of all three packages are made of: a parser, and the options that every command has."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sql.base.terminal import end_with_usage

if TYPE_CHECKING:
    from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence."""

    def error(self, message: str) -> NoReturn:
        """One sentence on stderr, exit code 2."""
        end_with_usage(f"{self.prog}: {message}; see `{self.prog} --help`")


def add_common_options(parser: argparse.ArgumentParser, store: str) -> None:
    """The options every command that opens a store has."""
    # The default itself is not shown: RAG_DB may hold a password.
    parser.add_argument("--db", default=store, metavar="D", help="store: a folder or a DSN (RAG_DB; default: .rag)")
    add_debug_option(parser)


def add_debug_option(parser: argparse.ArgumentParser) -> None:
    """The option every command has."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def program_version() -> str:
    """The installed version."""
    try:
        return version("int8-rag")
    except PackageNotFoundError:
        return "(not installed)"
