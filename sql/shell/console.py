"""Statements in; results out, in a chosen format, on stdout or in a file: what one statement and the shell share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

from sql.base.errors import StoreError, UsageError
from sql.base.terminal import is_terminal, note, out_bytes
from sql.engine.free_sql import refuse_files, returns_rows, split_statements, without_literals
from sql.engine.statements import PARAMETER, Statement, read_statement, schema_statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sql.engine.client import Client
    from sql.engine.statements import Value

FORMATS = {  # our names, all lower case; any other name is one of the engine's own
    "table": "PrettyCompactMonoBlock",
    "csv": "CSVWithNames",
    "tsv": "TabSeparatedWithNames",
    "json": "JSON",
    "jsonl": "JSONEachRow",
    "markdown": "Markdown",
    "vertical": "Vertical",
    "parquet": "Parquet",
    "arrow": "Arrow",
}
BINARY_FORMATS = {
    "Parquet", "Arrow", "ArrowStream", "ORC", "Avro", "Native", "RowBinary", "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes", "RowBinaryWithDefaults", "MsgPack", "BSONEachRow", "Npy",
}  # fmt: skip
FORMAT_NAME = re.compile(r"\w+")
OWN_FORMAT = re.compile(r"\bFORMAT\s+(\w+)[\s;]*$", re.IGNORECASE)
PARAMETER_SET = re.compile(r"\bparam_(\w+)")


@dataclass(slots=True)
class Console:
    """Runs the statements of a person on one client and delivers what they return."""

    client: Client
    format: str | None = None
    timing: bool = False
    output: Path | None = None
    query: list[float] | None = None
    _delivered: set[Path] = field(default_factory=set)
    _set_by_hand: set[str] = field(default_factory=set)

    def run(self, sql: str, values: Mapping[str, Value] | None = None) -> None:
        """Runs a statement, or several with semicolons between them, and delivers each result.

        `{epoch:UInt64}` stands for the newest epoch and `{query:Array(Float32)}` for the vector of `query`, unless
        `SET param_...` says otherwise. Raises StoreError where the engine refuses the statement, UsageError where its
        result cannot be delivered.
        """
        statements, rest = split_statements(sql)
        parts = [*statements, rest] if rest else statements
        # The data of an INSERT may hold semicolons of its own.
        if values is None and len(parts) > 1 and not any(part.lower().startswith("insert") for part in parts):
            for part in parts:
                self._run_one(part, None)
        else:
            self._run_one(sql, values)

    def _run_one(self, sql: str, values: Mapping[str, Value] | None) -> None:
        if self.client.read_only:
            refuse_files(sql, "give --output FILE instead")
        wanted = choose_format(sql, self.format)
        shown = own_format(sql) or wanted or ""
        self._check_delivery(shown)
        bound = self._bound(sql) if values is None else values
        started = perf_counter()
        try:
            data = self.client.text(sql, wanted, bound)
        except StoreError as error:
            if advised := advice(sql):
                raise StoreError(advised) from error
            raise
        seconds = perf_counter() - started
        self._deliver(data, shown)
        if self.timing:
            note(f"{seconds:.3f} s")

    def tables(self) -> None:
        """Delivers the list of tables and views."""
        listing = Statement("shell_tables")
        self.run(listing.text, listing.values)

    def schema(self, table: str = "") -> None:
        """Delivers the definition of a table or view, or of all; StoreError for one that does not exist."""
        known = self.table_names()
        if table and table not in known:
            raise StoreError(f"there is no table {table} in {self.client.location}: there are {', '.join(known)}")
        definitions = [
            str(self.client.query(Statement("shell_schema", {"table": name}))[0]["statement"])
            for name in ([table] if table else known)
        ]
        self._check_delivery("")
        self._deliver("".join(f"{definition};\n\n" for definition in definitions).rstrip("\n").encode(), "")

    def table_names(self) -> list[str]:
        """The names of tables and views, in order."""
        return [row["name"] for row in self.client.query(Statement("shell_tables"))]

    def _bound(self, sql: str) -> Mapping[str, Value]:
        """The values of the parameters that we know and nobody has set."""
        self._set_by_hand.update(PARAMETER_SET.findall(sql))
        wanted = {match[1] for match in PARAMETER.finditer(sql)} - self._set_by_hand
        values: dict[str, Value] = {}
        if "epoch" in wanted:
            values["epoch"] = int(self.client.query(Statement("epoch"))[0]["epoch"])
        if "query" in wanted and self.query is not None:
            values["query"] = self.query
        return values

    def _check_delivery(self, shown: str) -> None:
        """Raises UsageError before a statement runs whose result could not be delivered."""
        if shown not in BINARY_FORMATS:
            return
        if self.output is None and is_terminal():
            raise UsageError(f"{shown} is binary and would garble the terminal: write it to a file with --output FILE")
        if self.output in self._delivered:
            raise UsageError(
                f"{self.output} already holds a result, and {shown} allows one per file: name another file"
            )

    def _deliver(self, data: bytes, shown: str) -> None:
        """Writes a result to stdout, or to the file: the first one replaces it, further ones are appended."""
        exact = shown in BINARY_FORMATS or shown == "RawBLOB"
        ended = data if exact or not data or data.endswith(b"\n") else data + b"\n"
        if self.output is None:
            out_bytes(ended)
        elif data:
            with self.output.open("ab" if self.output in self._delivered else "wb") as file:
                file.write(ended)
            self._delivered.add(self.output)


def advice(sql: str) -> str:
    """What to say of a statement that failed, where the engine's message would lead astray; "" where it would not."""
    code = without_literals(sql)
    for view, names in parameters_of_views().items():
        if re.search(rf"\b(FROM|JOIN)\s+{view}\b(?!\s*\()", code, re.IGNORECASE):
            given = ", ".join(f"{name} = {{{name}:{kind}}}" for name, kind in names.items())
            return f"{view} is a view with parameters: write {view}({given}), or values in their place"
    return ""


@cache
def parameters_of_views() -> dict[str, dict[str, str]]:
    """The views of a store that need parameters, each with these and their types."""
    found = {}
    for name in schema_statements():
        text = read_statement(name)
        view = re.search(r"VIEW IF NOT EXISTS (\w+)", text)
        if view and (parameters := dict(PARAMETER.findall(text))):
            found[view[1]] = parameters
    return found


def choose_format(statement: str, wanted: str | None) -> str | None:
    """The output format: the statement's own (None: nothing to add), the one asked for, or what suits the reader."""
    if own_format(statement) or not returns_rows(statement):
        return None
    return known_format(wanted) if wanted else FORMATS["table" if is_terminal() else "tsv"]


def known_format(name: str) -> str:
    """The engine's name of a format: ours in lower case, or its own as it is."""
    if not FORMAT_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a format: give {', '.join(FORMATS)} or one of ClickHouse's own names")
    return FORMATS.get(name, name)


def own_format(statement: str) -> str | None:
    """The format that the statement itself asks for.

    >>> own_format("SELECT 1 FORMAT CSV; -- at last"), own_format("SELECT ' FORMAT CSV")
    ('CSV', None)
    """
    match = OWN_FORMAT.search(without_literals(statement))
    return match[1] if match else None
