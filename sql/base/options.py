"""What the command lines of all three packages are made of: a parser, and the options that every command has."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sql.base.terminal import as_started, end_with_usage

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence
    from typing import NoReturn


# What other programs call our options: no name that looks like them is near.
ELSEWHERE = {
    "store": "db", "database": "db", "index": "db", "top-k": "k", "topk": "k", "limit": "k", "where": "filter",
    "threshold": "min-confidence",
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence."""

    def error(self, message: str) -> NoReturn:
        """One sentence on stderr, exit code 2."""
        end_with_usage(f"{self.prog}: {message}; see `{self.prog} --help`")

    def format_help(self) -> str:
        """The help text, with our commands called as this one was started."""
        return as_started(super().format_help())

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """As ever, but what is unknown is refused by the command that it was given to, with the option that was meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            question = getattr(found, "question", None)
            if isinstance(question, str) and not any(word.startswith("-") for word in unknown):
                self.error(f'put a question of several words in quotes: "{" ".join([question, *unknown])}"')
            option = unknown[0].partition("=")[0]
            meant = _meant(option, self._option_string_actions) if option[:2] == "--" else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        """As ever, but what is no number is called that."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            if wanted := {int: "whole number", float: "number"}.get(action.type):  # type: ignore[call-overload]
                error.message = f"{arg_string!r} is not a {wanted}"
            raise

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """As ever, but a value or command that is none of the choices is refused with the one that was meant."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            known = [str(choice) for choice in action.choices or ()]
            if "ask" in known and " " in str(value):
                error.message = f"{str(value)!r:.80} is no command: put `ask` before a question"
            error.message += _meant(str(value), known)
            raise


def _meant(given: str, known: Iterable[str]) -> str:
    # Without the dashes, which all options have in common: --json is not nearly --version.
    names = {name.lstrip("-"): name for name in known}
    plain = given.lstrip("-")
    close = [name for name in (ELSEWHERE.get(plain, ""),) if name in names] or get_close_matches(plain, names, 1)
    return f"; did you mean {names[close[0]]}?" if close else ""


def given_path(text: str) -> str:
    """A path that is not empty. One that is, as a shell leaves it of a variable that is not set, would be the working
    directory, and all that is below it would be indexed or removed.
    """
    if not text:
        raise argparse.ArgumentTypeError("it is empty: write . if the working directory is meant")
    return text


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
