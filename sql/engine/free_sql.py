"""SQL that a user wrote in, what can be told of it without running it out: its statements, its parameters, its files."""

from __future__ import annotations

import re

from sql.base.errors import UsageError

INTO_FILE = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)
# What hides semicolons and keywords: literals, quoted names, here-documents and comments. The last alternatives match
# one that is opened and not closed, up to the end of the text.
OPENED = r"""'(?:[^'\\]|\\.)*|"(?:[^"\\]|\\.)*|`(?:[^`\\]|\\.)*|/\*.*"""
QUOTED_OR_COMMENT = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<![\w$])\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    r"""|(?P<comment>--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)|(?P<opened>""" + OPENED + r""")|(?P<end>;)""",
    re.DOTALL,
)
# The driver writes FORMAT behind a statement, which one that returns no rows (INSERT, SET, DELETE) does not understand.
RETURNS_ROWS = {"select", "with", "from", "show", "describe", "desc", "explain", "exists", "check"}
READS = frozenset({"select", "with", "show", "describe", "explain", "exists", "check"})  # as the engine writes them
SESSION = frozenset({"set", "use"})  # what holds for the next statements of the same connection


def refuse_files(sql: str, remedy: str) -> None:
    """Raises UsageError for a statement that writes a file: the engine would write it even where a store is only read."""
    if writes_file(sql):
        raise UsageError(f"INTO OUTFILE writes a file, which a read-only store does not do: {remedy}")


def writes_file(sql: str) -> bool:
    """Whether a statement has its result written into a file."""
    return bool(INTO_FILE.search(without_literals(sql)))


def without_literals(text: str) -> str:
    """SQL with every literal, quoted name and comment replaced by a space."""
    return QUOTED_OR_COMMENT.sub(lambda match: ";" if match["end"] else " ", text)


def split_statements(text: str) -> tuple[list[str], str]:
    """The statements that a semicolon ends, and what comes behind the last one, "" where that is nothing but comments.

    >>> split_statements("SELECT ';'; SELECT 2; SELECT 'a;")
    (["SELECT ';'", 'SELECT 2'], "SELECT 'a;")
    """
    statements, first = [], 0
    for match in QUOTED_OR_COMMENT.finditer(text):
        if match["end"]:
            statements.append(text[first : match.start()].strip())
            first = match.end()
    rest = text[first:].strip()
    return [statement for statement in statements if has_code(statement)], rest if has_code(rest) else ""


def has_code(text: str) -> bool:
    """Whether there is anything but white space and comments."""
    return bool(QUOTED_OR_COMMENT.sub(lambda match: " " if match["comment"] else match[0], text).strip())


def first_word(statement: str) -> str:
    """What kind of statement it is, in lower case.

    >>> first_word("  (SELECT 1)"), first_word("SYSTEM STOP MERGES")
    ('select', 'system')
    """
    words = without_literals(statement).strip(" \t\r\n(").split(None, 1)
    return words[0].lower() if words else ""


def returns_rows(statement: str) -> bool:
    """Whether the last of the statements (`SET param_x = 1; SELECT {x:UInt8}`) is a query.

    >>> returns_rows("SET param_x = 'a;b'; SELECT {x:String}"), returns_rows("-- new\\nINSERT INTO t SELECT 1")
    (True, False)
    """
    parts = [part.strip(" \t\r\n(") for part in without_literals(statement).split(";")]
    words = [part.split(None, 1)[0].lower() for part in parts if part]
    return bool(words) and words[-1] in RETURNS_ROWS
