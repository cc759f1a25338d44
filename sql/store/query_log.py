"""Questions and what came of them in, a row of the table `queries` each out; read, explained and forgotten again.

A store is opened for reading to answer, so a log has a client of its own that may write. Where that cannot be had, because
another process has an embedded store or the user of a server may only read, the query stays unlogged, and whoever asked
gets his answer all the same: no failure of the log is ever one of a search.
"""

from __future__ import annotations

import json
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sql.base.errors import RagError, StoreBusy, to_run
from sql.engine.client import Client
from sql.engine.cluster import delete_rows
from sql.engine.statements import Statement, escape_literal
from sql.records.queries import Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.engine.statements import Value
    from sql.records.queries import LoggedQuery
    from sql.store.store import Store

MILLISECONDS_AN_HOUR = 3_600_000
# Old queries are deleted when there are so many too many, not with every new one: deleting rewrites a part of the table.
SLACK = 0.05
LOOK_EVERY = 100  # queries of a process, of which the first looks whether there is something to delete


class NoSuchQuery(RagError):
    """No logged query has that id, or several begin like it."""

    code: ClassVar[str] = "no-such-query"


@dataclass
class QueryLog:
    """The log of one store. Safe from any thread. `announce` is told, once, that queries cannot be logged."""

    store: Store
    announce: Callable[[str], None] = lambda sentence: None
    _client: Client | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _told: bool = False
    _written: int = 0

    def close(self) -> None:
        """Gives up the client of its own."""
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # Writing

    def write(self, query: LoggedQuery) -> bool:
        """Keeps a query; whether that could be done. Never raises for a store that cannot be written."""
        try:
            self._write(query)
        except (RagError, ValueError) as error:  # as of half a character, which no table can hold
            self._tell(error)
            return False
        self._told = False
        return True

    def _write(self, query: LoggedQuery) -> None:
        columns = query_columns(query)
        client = self._writing_client()
        if client is not None:
            self._insert(client, columns)
            return
        if not self.store.client.runs_engine:
            raise StoreBusy("another process has the store")
        with closing(Client(self.store.client.location)) as brief:
            self._insert(brief, columns)

    def _insert(self, client: Client, columns: dict[str, Any]) -> None:
        client.insert("queries", columns)
        self._written += 1
        if self._written % LOOK_EVERY == 1:
            self._forget_old(client, SLACK)

    def _writing_client(self) -> Client | None:
        """A client that may write, kept for the next query; None where none is kept.

        Of an embedded store that has to be given to another process between two questions none is.
        """
        reading = self.store.client
        if not reading.read_only:
            return reading
        if not reading.is_server and (reading.yields or not reading.runs_engine):
            return None
        with self._guard:
            if self._client is None:
                self._client = Client(reading.location)
            return self._client

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            reason = "another process has the store" if isinstance(error, StoreBusy) else str(error)
            self.announce(f"the query was not logged: {reason}")

    # Reading

    def newest(self, limit: int, beginning: str = "") -> list[Row]:
        """The newest queries whose id begins like that, the newest first."""
        values: dict[str, Value] = {"limit": limit, "beginning": beginning.lower()}
        return self.store.client.query(Statement("query_log", values))

    def find(self, beginning: str) -> Row:
        """The one query whose id begins like that; NoSuchQuery where there is none, or several."""
        found = self.newest(2, beginning) if beginning else []
        if not found:
            lists = to_run("rag log", self.store.client.location)
            raise NoSuchQuery(f"no logged query has an id that begins with {beginning!r:.60}: {lists} lists them")
        if len(found) > 1:
            raise NoSuchQuery(f"several logged queries begin with {beginning!r:.60}: give more of the id")
        return found[0]

    def explain(self, query_id: UUID) -> tuple[Statement, list[Row]]:
        """Why a query was answered as it was, a row for each hit; and the statement that says it."""
        statement = self.store.client.localize(Statement("explain_query", {"query_id": query_id}))
        return statement, self.store.client.query(statement)

    def hits(self, query_id: UUID) -> Row:
        """The places of the hits and citations of a query."""
        (row,) = self.store.client.query(Statement("logged_hits", {"query_id": query_id}))
        return row

    # Retention; the store has to be open for writing

    @property
    def retention(self) -> Retention:
        """How long queries are kept."""
        collection = self.store.collection()
        return Retention.from_text(collection.log_keep if collection else "")

    def keep(self, text: str) -> int:
        """Remembers how long queries are kept and forgets older ones now; returns how many. UsageError for a text that says
        nothing of the kind."""
        Retention.from_text(text)
        self.store.revise(log_keep=text)
        return self._forget_old(self.store.client, 0)

    def _forget_old(self, client: Client, slack: float) -> int:
        """Deletes what is older than is kept, if that is more than a part of it; returns how many queries."""
        until = self._until(client, slack)
        if until is None:
            return 0
        before = client.query(Statement("query_log_extent"))[0]["queries"]
        delete_rows(Statement("delete_queries", {"until_milliseconds": until}), client, self.store.cluster)
        return int(before - client.query(Statement("query_log_extent"))[0]["queries"])

    def _until(self, client: Client, slack: float) -> int | None:
        """The time up to which queries are to be forgotten, in milliseconds since 1970; None where none has to be."""
        kept = self.retention
        if kept.newest is None and kept.hours is None:
            return None
        (extent,) = client.query(Statement("query_log_extent"))
        if not extent["queries"]:
            return None
        if kept.hours is not None:
            age = kept.hours * MILLISECONDS_AN_HOUR
            is_due = extent["oldest_milliseconds"] <= extent["now_milliseconds"] - age * (1 + slack)
            return int(extent["now_milliseconds"] - age) if is_due else None
        newest = kept.newest or 0
        if extent["queries"] <= newest * (1 + slack):
            return None
        rows = client.query(Statement("query_log_place", {"newer": newest}))
        return int(rows[0]["asked_milliseconds"]) if rows else None


# A row of the table


def query_columns(query: LoggedQuery) -> dict[str, Any]:
    """A query as the columns of one row.

    Lists are text, which the engine reads as each column wants it. Numbers are arrays: lists of them would go through the
    driver, which loads pandas for them (sql/engine/native.py).
    """
    hits, cited, steps = query.hits, query.citations, query.steps
    columns: dict[str, str] = {
        "kind": query.kind,
        "question": query.question,
        "request": json.dumps(query.request, default=str),
        "hits.document_id": text_array(str(hit.document_id) for hit in hits),
        "hits.generation": number_array(hit.generation for hit in hits),
        "hits.chunk_index": number_array(hit.chunk_index for hit in hits),
        "hits.source": text_array(hit.source for hit in hits),
        "hits.heading": text_array(hit.heading for hit in hits),
        "hits.char_start": number_array(hit.start for hit in hits),
        "hits.char_end": number_array(hit.end for hit in hits),
        "hits.line": number_array(hit.line for hit in hits),
        "hits.page": number_array(hit.page for hit in hits),
        "hits.score": number_array(hit.score for hit in hits),
        "hits.vector_score": number_array(hit.vector_score for hit in hits),
        "hits.bm25_score": number_array(hit.bm25_score for hit in hits),
        "answer": query.answer,
        "citations.source": text_array(one.source for one in cited),
        "citations.char_start": number_array(one.start for one in cited),
        "citations.char_end": number_array(one.end for one in cited),
        "citations.score": number_array(one.score for one in cited),
        "citations.text": text_array(one.text for one in cited),
        "steps.stage": text_array(step.stage for step in steps),
        "steps.statement": text_array(step.statement for step in steps),
        "steps.milliseconds": number_array(step.milliseconds for step in steps),
        "steps.rows": number_array(step.rows for step in steps),
    }
    numbers: dict[str, NDArray[Any]] = {
        "epoch": np.array([query.epoch], np.uint64),
        "answered": np.array([query.answered], np.uint8),
        "milliseconds": np.array([query.milliseconds], np.float64),
    }
    if query.confidence is not None:
        numbers["confidence"] = np.array([query.confidence], np.float64)
    return {"query_id": [query.query_id], **{name: [value] for name, value in columns.items()}, **numbers}


def text_array(values: Iterable[str]) -> str:
    """Texts as an array literal."""
    quoted = [f"'{escape_literal(value)}'" for value in values]
    return f"[{','.join(quoted)}]"


def number_array(values: Iterable[float | None]) -> str:
    """Numbers as an array literal, None as NULL."""
    return f"[{','.join('NULL' if value is None else str(value) for value in values)}]"
