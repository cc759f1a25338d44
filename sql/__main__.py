"""`python -m sql "SELECT ..."`: any SQL against the store, read-only unless --write."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from sql.client import parse_location
from sql.errors import EXIT_OK, UsageError
from sql.settings import read_settings
from sql.terminal import Parser, add_common_options, is_terminal, out_bytes, program_version, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_FORMAT = re.compile(r"\bFORMAT\s+\w+\s*;?\s*$", re.IGNORECASE)
QUOTED_OR_COMMENT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)
# The driver writes FORMAT behind a statement, which one that returns no rows (INSERT, SET, DELETE) does not understand.
RETURNS_ROWS = {"select", "with", "from", "show", "describe", "desc", "explain", "exists", "check"}


def command(arguments: Sequence[str]) -> int:
    """Runs one statement and prints what it returns."""
    options = make_parser().parse_args(arguments)
    statement = sys.stdin.read() if options.statement == "-" else options.statement
    if not statement.strip():
        raise UsageError("there is no statement to run: give one, or `-` to read it from stdin")
    location = parse_location(options.db)
    location.require_store()
    from sql.client import Client

    client = Client(location, read_only=not options.write)
    try:
        out_bytes(client.text(statement, choose_format(statement, options.format)))
    finally:
        client.close()
    return EXIT_OK


def choose_format(statement: str, wanted: str | None) -> str | None:
    """The output format: the statement's own, the one asked for, or what suits the reader."""
    if OWN_FORMAT.search(statement) or not returns_rows(statement):
        return None
    return wanted or ("PrettyCompactMonoBlock" if is_terminal() else "TabSeparatedWithNames")


def returns_rows(statement: str) -> bool:
    """Whether the last of the statements (`SET param_x = 1; SELECT {x:UInt8}`) is a query.

    >>> returns_rows("SET param_x = 'a;b'; SELECT {x:String}"), returns_rows("-- new\\nINSERT INTO t SELECT 1")
    (True, False)
    """
    parts = [part.strip(" \t\r\n(") for part in QUOTED_OR_COMMENT.sub(" ", statement).split(";")]
    words = [part.split(None, 1)[0].lower() for part in parts if part]
    return bool(words) and words[-1] in RETURNS_ROWS


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m sql",
        description="Run SQL against the store, read-only unless --write.",
        epilog="exit codes: 0 ok, 1 error, 2 wrong usage, 75 store in use, 130 interrupted",
    )
    parser.add_argument("statement", help="one SQL statement, or - to read it from stdin")
    parser.add_argument("--write", action="store_true", help="allow statements that change data")
    parser.add_argument("--format", metavar="F", help="a ClickHouse output format: CSVWithNames, JSONEachRow, ...")
    parser.add_argument("--version", action="version", version=program_version())
    add_common_options(parser, read_settings().store)
    return parser


def main() -> int:
    """Entry point."""
    return run_command(command)


if __name__ == "__main__":
    raise SystemExit(main())
