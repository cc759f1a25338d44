"""The command line of `python -m sql`: any SQL against the store, read-only unless --write; without a statement, a shell."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import EXIT_OK, UsageError
from sql.base.options import Parser, add_common_options, program_version
from sql.base.settings import read_settings
from sql.base.terminal import is_typed, note, run_command
from sql.engine.location import parse_location

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from sql.engine.client import Client


def command(arguments: Sequence[str]) -> int:
    """Runs one statement and prints what it returns, or talks until the person leaves."""
    options = make_parser().parse_args(arguments)
    statement = sys.stdin.read() if options.statement == "-" else options.statement
    wants = [statement is not None, options.tables, options.schema is not None]
    if sum(wants) > 1:
        raise UsageError("a statement, --tables and --schema are three commands: give one of them")
    if statement is not None and not statement.strip():
        raise UsageError("there is no statement to run: give one, or `-` to read it from stdin")
    if not any(wants) and not is_typed():
        raise UsageError(
            "python -m sql: there is no statement to run and no terminal to type one on: give a statement, "
            "or `-` to read it from stdin"
        )
    if options.query is not None and "{query:" not in (statement or ""):
        raise UsageError("--query gives {query:Array(Float32)} its value, and the statement does not have it")
    location = parse_location(options.db)
    location.require_store()
    from sql.engine.client import Client

    client = Client(location, read_only=not options.write)
    try:
        client.answer_readers()
        act(client, options, statement)
    finally:
        client.close()
    return EXIT_OK


def act(client: Client, options: Namespace, statement: str | None) -> None:
    """Does what the options ask for with an open client."""
    from sql.shell.console import Console
    from sql.shell.shell import Shell

    console = Console(client, options.format, options.timing, Path(options.output) if options.output else None)
    if options.tables:
        console.tables()
    elif options.schema is not None:
        console.schema(options.schema)
    elif statement is not None:
        console.query = None if options.query is None else embed(client, options.query)
        console.run(statement)
    else:
        access = "writable" if options.write else "read-only"
        note(f"store {client.location}, {access}; .help lists the commands, Ctrl-D leaves")
        Shell(console, partial(embed, client)).talk(read_settings().cache / "sql_history")


def embed(client: Client, text: str) -> list[float]:
    """The vector of a text, by the encoder that the store was made with."""
    from rag.encoder.encoder import choose_model, load_encoder
    from rag.encoder.prompts import OWN_PROMPTS, choose_prompts
    from sql.store import Store

    settings, store = read_settings(), Store(client)
    collection = store.collection()
    model, prompts = choose_model(settings, None, collection), choose_prompts(OWN_PROMPTS, collection)
    encoder = load_encoder(settings, model, prompts=prompts, few_texts=True, announce=note)
    store.made_with.check_encoder(encoder.identity)
    vector: list[float] = encoder.encode_query(text).tolist()
    return vector


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m sql",
        description="Run SQL against the store, read-only unless --write. Without a statement, start a shell.",
        epilog="exit codes: 0 ok, 1 error, 2 wrong usage, 75 store in use, 130 interrupted",
    )
    parser.add_argument("statement", nargs="?", help="one SQL statement, or - to read it from stdin")
    parser.add_argument("--tables", action="store_true", help="list tables and views")
    parser.add_argument(
        "--schema",
        nargs="?",
        const="",
        metavar="TABLE",
        help="show the definition of a table or view, or of all of them",
    )
    parser.add_argument("--write", action="store_true", help="allow statements that change data")
    parser.add_argument(
        "--format",
        metavar="F",
        help="table, csv, tsv, json, jsonl, markdown, vertical, parquet, arrow, or ClickHouse's own",
    )
    parser.add_argument(
        "--query", metavar="TEXT", help="set {query:Array(Float32)} in the statement to the vector of a text"
    )
    parser.add_argument("--output", metavar="FILE", help="write the result to a file")
    parser.add_argument("--timing", action="store_true", help="print on stderr how long the statement took")
    parser.add_argument("--version", action="version", version=program_version())
    add_common_options(parser, read_settings().store)
    return parser


def main() -> int:
    """Runs what `sys.argv` asks for."""
    return run_command(command)
