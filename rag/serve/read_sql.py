"""SQL of a caller in, rows out: one statement that reads the tables of the store, and nothing else of this machine.

`readonly` is not enough: it allows KILL QUERY and the function `file`. So the engine is asked how it reads the statement
(as in sql/engine/answering.py), and what it names there may not be a function that reads files, addresses or models.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sql.base.errors import UsageError
from sql.engine.free_sql import READS, first_word, without_literals, writes_file
from sql.engine.statements import Statement

if TYPE_CHECKING:
    from rag.library import Library
    from rag.serve.bodies import SqlStatement

CALLED = re.compile(r"[`\"]?(\w+)[`\"]?\s*\(")
# Functions of tables that read nothing but what stands in the statement or in the store's own tables.
HARMLESS = frozenset(
    {"values", "numbers", "numbers_mt", "generateseries", "generate_series", "zeros", "zeros_mt", "null", "view"}
)
# What reads a file, calls a model or asks a server (this one, by `int8-rag ddl`): the engine has no list of these.
READ_ELSEWHERE = re.compile(
    r"file|catboostevaluate|ai[a-z]+|eval|executable\w*|python|dict[a-z]+|rag_answer|rag_search", re.IGNORECASE
)


def read_rows(library: Library, asked: SqlStatement) -> dict[str, Any]:
    """At most `limit` rows of a statement; UsageError for one that does more than read the store."""
    check_reads_only(library, asked.statement)
    rows = library.sql(asked.statement, asked.parameters, query=asked.query)
    return {"rows": rows[: asked.limit], "more": len(rows) > asked.limit}


def check_reads_only(library: Library, statement: str) -> None:
    """Raises UsageError for a statement that changes something or reads what does not belong to the store."""
    client = library.store.client
    read = str(client.query(Statement("as_read", {"statement": statement}))[0]["statement"])
    if first_word(read) not in READS or writes_file(read):
        raise UsageError(
            f"{first_word(read).upper() or 'this'} is not read here: one SELECT of the tables of the store is"
        )
    elsewhere = {str(row["name"]).lower() for row in client.query(Statement("table_functions"))} - HARMLESS
    for name in CALLED.findall(without_strings(read)):
        if name.lower() in elsewhere or READ_ELSEWHERE.fullmatch(name):
            raise UsageError(f"{name}() reads something else than the tables of the store: leave it out")


def without_strings(read: str) -> str:
    """A statement without its literals; its quoted names stay, which may be those of functions."""
    return without_literals(re.sub(r"[`\"](\w+)[`\"]", r"\1", read))
