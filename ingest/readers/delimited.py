"""Tables of delimited text in (CSV, TSV), their header and rows out; the text is that of the file, offsets and all.

The table is one block, so that rows are cut between lines; a row with line breaks in quotation marks is a block of its
own, so that a chunk rather ends before or after it. What stands above the header, such as the title of a report, is a
paragraph.

Which delimiter a file has is decided by how well it divides a sample: into rows of as many fields each, and into fields
in which no other delimiter is left. `csv.Sniffer` looks at how often characters come instead, and takes a letter or the
comma of decimal numbers for one.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ingest.document import Block
from ingest.readers.decode import decode_text
from ingest.readers.paragraphs import bounded, paragraphs, text_start
from rag.text.sentences import LINE_END, line_begin, line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

DELIMITERS = ",;\t|"  # of delimiters that divide equally well the first is taken
_OF_TABS = (".tsv", ".tab")
_SAMPLE_CHARACTERS = 32_000
_SAMPLE_ROWS = 500
_MAX_PREAMBLE = 30  # rows above the header
_MAX_HEADER_FIELD = 80  # characters; a longer field is a text and not the name of a column
_LEAST_SCORE = 0.2  # what prose with its commas does not reach, and a table with two columns does

_STATED = re.compile(r"sep=([^\w\s\"]|\t)[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE)  # how Excel is told
_NUMBER = re.compile(r"[-+(]?\s?[€$£¥]?\s?\d[\d.,' \u00a0\u202f]*(?:[eE][-+]?\d+)?\s?(?:%|[€$£¥]|EUR|USD|CHF|GBP)?\)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]+\d{1,2}:\d{2}\S*)?|\d{1,2}:\d{2}(?::\d{2}\S*)?")
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")
_ADDRESS = re.compile(r"\S+@\S+\.\S+|https?://\S+")
_MISSING = frozenset(("", "-", "na", "n/a", "nan", "null", "none", "#n/a"))


class Table(NamedTuple):
    """Where the table of a text begins, what divides its fields ("" for a single column), and whether it has a header."""

    start: int
    delimiter: str
    has_header: bool


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file: its text, unconverted."""
    text, encoding = decode_text(file.data, file.source)
    yield file.document(text, table_blocks(text, file.suffix), encoding=encoding)


def table_blocks(text: str, suffix: str = ".csv") -> list[Block]:
    """The paragraphs above the table and the table, of kind `rows` where no header was found."""
    start = text_start(text)
    table = find_table(text, start, suffix)
    above = [Block(*span, "paragraph", "") for span in paragraphs(text, start, table.start)]
    return bounded(text, [*above, *_divided(text, table)])


def _divided(text: str, table: Table) -> Iterator[Block]:
    """The table in blocks: each row of several lines, and the rows between such."""
    kind, start = "table" if table.has_header else "rows", table.start
    for row_start, row_end in _long_rows(text, table):
        for span in (trimmed(text, start, row_start), trimmed(text, row_start, row_end)):
            if span[0] < span[1]:
                yield Block(*span, kind, "")
        start = row_end
    span = trimmed(text, start, len(text))
    if span[0] < span[1]:
        yield Block(*span, kind, "")


def _long_rows(text: str, table: Table) -> Iterator[tuple[int, int]]:
    """Start and end of each row that has a line break within quotation marks.

    A quotation mark opens a field only at its beginning, and closes it only at its end: inches and quoted words are text.
    """
    divider = re.escape(table.delimiter) if table.delimiter else "(?!)"
    opening, closing = rf"(?:(?<![^\r\n\ufeff])|{divider})[ ]*+", rf"(?=[ ]*+(?:{divider}|[\r\n]|\Z))"
    field = re.compile(rf'{opening}"(?:[^"]|"")*+"{closing}')
    found: tuple[int, int] | None = None
    done = table.start  # no line before this has to be looked at again
    for quoted in field.finditer(text, table.start):
        if not LINE_END.search(text, *quoted.span()):
            continue
        if found is None or quoted.start() >= found[1]:
            if found:
                yield found
                done = found[1]
            found = line_begin(text, quoted.start(), done), 0
        end = LINE_END.search(text, quoted.end())
        found = (found[0], end.start() if end else len(text))
        done = quoted.end()
    if found:
        yield found


def find_table(text: str, start: int, suffix: str = ".csv") -> Table:
    """The table of a text, as far as its first rows tell."""
    stated = _STATED.match(text, start)
    if stated:
        start = stated.end()
    lines = _sample(text, start)
    best = stated[1] if stated else _best_delimiter(lines, "\t" if suffix in _OF_TABS else DELIMITERS)
    if not best and suffix in _OF_TABS:
        best = _best_delimiter(lines, DELIMITERS)
    rows = _rows(lines, best or "\0")
    first = _first_row([row for _, row in rows])
    offset = lines[rows[first][0]][0] if rows else start
    if '"' in text[start:offset] and next(_long_rows(text, Table(start, best, True)), (offset, 0))[0] < offset:
        offset = start  # a row of several lines is no title, however little it holds
    return Table(offset, best, has_header([row for _, row in rows[first:]]))


def _best_delimiter(lines: Sequence[tuple[int, str]], delimiters: str) -> str:
    """The one of some delimiters that divides best, "" where none does."""
    best, best_score = "", _LEAST_SCORE
    for delimiter in delimiters:
        score = _score([row for _, row in _rows(lines, delimiter)], delimiter)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sample(text: str, start: int) -> list[tuple[int, str]]:
    """The first lines with the offset of each; the last is left out where it may be incomplete."""
    end = min(len(text), start + _SAMPLE_CHARACTERS)
    lines = [(first, text[first:last]) for first, last in line_spans(text, start, end)]
    return lines[:-1] if end < len(text) and len(lines) > 1 else lines


def _rows(lines: Sequence[tuple[int, str]], delimiter: str) -> list[tuple[int, list[str]]]:
    """The first rows that are not blank, each with the number of the line that it begins in."""
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader((line + "\n" for _, line in lines), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    line = 0
    try:
        for row in islice(reader, _SAMPLE_ROWS):
            if any(map(str.strip, row)):
                rows.append((line, [field.strip() for field in row]))
            line = reader.line_num
    except csv.Error:  # a field beyond the limit of the module: the rows before it have to do
        pass
    return rows


def _score(rows: Sequence[Sequence[str]], delimiter: str) -> float:
    """How well a delimiter divides rows, 0 to 1: the share of rows of the usual length, times that of clean fields."""
    lengths = Counter(map(len, rows))
    (usual, count), *_ = lengths.most_common(1) or [(1, 0)]
    if usual < 2:
        return 0.0
    fields = [field for row in rows if len(row) == usual for field in row]
    clean = sum(_cleanness(field, delimiter) for field in fields) / len(fields)
    return count / len(rows) * clean * (usual - 1) / usual


def _cleanness(field: str, delimiter: str) -> float:
    """Whether a field looks like one, and not like several or a part of one."""
    if field.startswith('"') or field.endswith('"') or any(mark in field for mark in ";\t|" if mark != delimiter):
        return 0.0
    return 0.8 if delimiter != "," and "," in field and not _NUMBER.fullmatch(field) else 1.0


def _first_row(rows: Sequence[Sequence[str]]) -> int:
    """The index of the first row of the table: above it stand a title or notes, which fill hardly any fields."""
    usual = max(Counter(map(len, rows)).most_common(1) or [(1, 0)])[0]
    least = max(2, (usual + 1) // 2)
    for number, row in enumerate(rows[:_MAX_PREAMBLE]):
        if sum(map(bool, row)) >= least:
            return number
    return 0


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: a text above numbers does, a value among its like does not.

    Rows have at least one field each.
    """
    if len(rows) < 2:
        return True
    header, *below = rows
    columns: list[list[str]] = [[] for _ in header]
    for row in below:
        for column, field in zip(columns, row, strict=False):  # a row may be shorter or longer
            column.append(field)
    votes = sum(map(_vote, header, columns))
    if votes:
        return votes > 0
    return all(map(_may_be_name, header)) and len(set(header)) == len(header)


def _vote(name: str, column: Sequence[str]) -> int:
    values = [value for value in column if value.lower() not in _MISSING]
    if not values or not name:
        return 0
    is_value = [_is_value(value) for value in values]
    if 10 * sum(is_value) >= 9 * len(values):
        if not _is_value(name):
            return 2  # which says more than a name that is found below it, as a short one may be
        # 2023, 2024 may be the names of columns of amounts, not of years
        return 0 if _YEAR.fullmatch(name) and not any(map(_YEAR.fullmatch, values)) else -2
    return -1 if name in values or not _may_be_name(name) else 0


def _is_value(field: str) -> bool:
    return bool(_NUMBER.fullmatch(field) or _DATE.fullmatch(field) or _ADDRESS.fullmatch(field))


def _may_be_name(field: str) -> bool:
    return len(field) <= _MAX_HEADER_FIELD and not (_is_value(field) and not _YEAR.fullmatch(field))
