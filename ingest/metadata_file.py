"""A file in which a user says what documents are about (`--meta-file`) in, a rule for each path or pattern in it out.

CSV and TSV have a column `path` and one for each name, JSON Lines an object with `path` a line, JSON a list of such objects
or one object that has the paths as its names. An empty cell says nothing of a file.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from ingest.given_metadata import Rule
from ingest.readers.raw_file import file_bytes
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import expand_user
from sql.search.filters import parse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "path"  # the name of the column, or entry, that says which files are meant
DIVIDERS = {".csv": ",;\t", ".tsv": "\t"}  # a spreadsheet writes what is usual in its country
LARGEST_CELL = 1_000_000  # characters, which a document could not have as metadata anyway


def read_rules(name: str) -> list[Rule]:
    """The rules in a metadata file, in its order; UsageError, with the place in the file, for what is none."""
    where = f"--meta-file {name}"
    path = expand_user(name, "--meta-file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{where}: its suffix must name its format, one of {', '.join(READERS)}")
    try:
        text = file_bytes(path, name).decode("utf-8-sig")
    except UnreadableDocument as error:
        raise UsageError(f"{where}: {str(error).removeprefix(name).strip()}; nothing was changed") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{where}: byte {error.start} is not UTF-8: save the file as UTF-8; nothing was changed"
        ) from error
    return list(reader(text, where, path.suffix.lower()))


def csv_rules(text: str, where: str, suffix: str) -> Iterator[Rule]:
    """A row a rule; the first row has the names."""
    header = text.lstrip("\r\n").partition("\n")[0]
    divider = next((one for one in DIVIDERS[suffix] if PATH in columns(header, one)), DIVIDERS[suffix][0])
    csv.field_size_limit(LARGEST_CELL)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)
    names: list[str] = []
    try:
        for row in rows:
            here = f"{where}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = header_names(row, here)
                continue
            if len(row) > len(names):
                raise UsageError(
                    f"{here}: {len(row)} cells below {len(names)} names: quote cells that hold a {divider!r}"
                )
            cells = {name: cell.strip() for name, cell in zip(names, row, strict=False)}
            path = cells.pop(PATH, "")
            yield Rule(path, {name: parse_value(cell) for name, cell in cells.items() if cell}, here)
    except csv.Error as error:
        raise UsageError(f"{where}, line {rows.line_num}: {error}") from error
    if not names:
        raise UsageError(f"{where} is empty: its first line must hold the column names, one of them {PATH}")


def columns(line: str, divider: str) -> list[str]:
    """The cells of a header."""
    return [cell.strip().strip('"') for cell in line.split(divider)]


def header_names(row: list[str], where: str) -> list[str]:
    """The names of columns."""
    names = [cell.strip() for cell in row]
    if PATH not in names:
        raise UsageError(
            f"{where}: no column is called {PATH}, which says which files are meant: {', '.join(names):.80}"
        )
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{where}: two columns are called {name!r:.80}: rename one of them")
    return names


def json_lines_rules(text: str, where: str, _suffix: str) -> Iterator[Rule]:
    """A line a rule."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            here = f"{where}, line {number}"
            yield rule_of(parsed_json(line, here), here)


def json_rules(text: str, where: str, _suffix: str) -> Iterator[Rule]:
    """A list of objects with `path`, or an object with an object a path."""
    value = parsed_json(text, where)
    if isinstance(value, list):
        for number, entry in enumerate(value, start=1):
            yield rule_of(entry, f"{where}, entry {number}")
    elif isinstance(value, dict):
        for path, metadata in value.items():
            here = f"{where}, {path!r:.80}"
            if not isinstance(metadata, dict):
                raise UsageError(f'{here}: {metadata!r:.80} is no object of names and values, such as {{"year": 2024}}')
            yield Rule(path, metadata, here)
    else:
        raise UsageError(f'{where}: write an object such as {{"reports/": {{"year": 2024}}}}, or a list')


def parsed_json(text: str, where: str) -> Any:
    """A value of JSON, in which no name is given twice."""

    def without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
            raise UsageError(f"{where}: {repeated!r:.80} is given twice in one object: leave one out")
        return found

    try:
        return json.loads(text, object_pairs_hook=without_repetitions)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {error}") from error


def rule_of(entry: Any, where: str) -> Rule:
    """An object with `path` as a rule."""
    if not isinstance(entry, dict) or not isinstance(entry.get(PATH), str):
        raise UsageError(f'{where}: {entry!r:.80} is no object with a path, such as {{"path": "a.md", "year": 2024}}')
    return Rule(entry[PATH], {name: value for name, value in entry.items() if name != PATH}, where)


READERS: dict[str, Callable[[str, str, str], Iterator[Rule]]] = {
    ".csv": csv_rules,
    ".tsv": csv_rules,
    ".json": json_rules,
    ".jsonl": json_lines_rules,
    ".ndjson": json_lines_rules,
}
