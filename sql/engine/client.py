"""A ClickHouse in this process (chDB) or a server, the same statements for both.

Statements and values in, rows out. Every error of the driver leaves here as a StoreError of one sentence.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import DatabaseMissing, RagError, StoreError, StoreUnreachable
from sql.base.settings import check_time_zone
from sql.engine.driver import (
    EMBEDDED_SECONDS,
    compressed,
    connect_to_engine,
    connect_to_server,
    driver_block,
    insert_from_file,
    settle,
)
from sql.engine.embedded import ENGINES, Engine, keep_for_ever, trim_heap
from sql.engine.entrance import Entrance
from sql.engine.failures import explain_failure, is_connection_trouble
from sql.engine.free_sql import returns_rows
from sql.engine.helper_thread import NoAnswerInTime, in_helper_thread
from sql.engine.location import Location, parse_location
from sql.engine.native import native_block
from sql.engine.parameters import bound
from sql.engine.statements import Statement, read_statement, without_comments
from sql.engine.wire import HolderGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sql.engine.statements import Value

__all__ = ["Client", "Location", "Row", "parse_location"]

Result = TypeVar("Result")
Record = TypeVar("Record")
Row = dict[str, Any]

PLAIN_ENGINE = "MergeTree"
ENGINES_BY_NAME = {
    PLAIN_ENGINE: PLAIN_ENGINE,
    # The path has to be the same on all replicas of a shard; the server fills in what stands in braces.
    "ReplicatedMergeTree": "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
}
IN_BACKGROUND = {"mutations_sync": 0, "lightweight_deletes_sync": 0}
STUCK_SECONDS = 10.0  # after which a deletion that the engine does not even begin is taken back
MOST_ROOM_SECONDS = 15.0  # that a writer waits for statements of readers
MOST_HOLDERS = 10  # processes through which one statement is tried to be read, one after the other
RETRY_PAUSES = (0.1, 0.4, 1.0)  # seconds before a statement that may be repeated is sent again: a restart takes longer


class Client:
    """Runs statements. Safe to share between threads: each thread gets a handle of its own.

    With `yields`, a reader of an embedded store gives it to another process that wants to write, between two statements, and
    reads through that one from then on.
    """

    def __init__(
        self, location: Location, *, read_only: bool = False, create_database: bool = False, yields: bool = False
    ) -> None:
        check_time_zone()
        self.location = location
        self.read_only = read_only
        self.first_in_process = False
        self._entrance: Entrance | None = None
        self._process = os.getpid()
        self._handles: list[Any] = []
        self._idle: list[Any] = []
        self._guard = threading.Lock()
        self._room = threading.Condition(self._guard)
        self._at_work = 0  # statements
        self._making_room = False
        self._writing = threading.RLock()
        self._drafts: set[int] = set()
        self._closed = False
        self._interrupted = False
        self._connect: Callable[[], Any]
        if location.server is not None:
            self._connect = partial(connect_to_server, location.server, read_only=read_only)
        elif (folder := location.real_folder) is not None:
            self._entrance = Entrance(folder, read_only=read_only, make_room=self._make_room if yields else None)
            self.first_in_process = self._entrance.first_in_process
            self._connect = self._entrance.connect
        CLIENTS.add(self)
        try:
            self._open(create_database=create_database)
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)  # a handle still open when the interpreter ends can crash the engine

    def _open(self, *, create_database: bool) -> None:
        """Connects, and makes the database of a new store where that is wanted and the user may."""
        try:
            self._run("opening the store", lambda handle: None, repeatable=True)
        except DatabaseMissing as missing:
            server = self.location.server
            if not create_database or server is None:
                raise
            anywhere = Location(self.location.text, None, replace(server, database="default"))
            try:
                with closing(Client(anywhere)) as client:
                    client.execute(Statement("create_database", {"database": server.database}), repeatable=True)
            except StoreError:
                raise missing from None
            self._run("opening the store", lambda handle: None, repeatable=True)

    @property
    def _engine(self) -> Engine | None:
        """The embedded engine of this process, where that is what runs the statements."""
        return None if self._entrance is None else self._entrance.engine

    @property
    def runs_engine(self) -> bool:
        """Whether statements run on the embedded engine of this process, which then has the store."""
        return self._engine is not None

    @property
    def yields(self) -> bool:
        """Whether it gives an embedded store to another process that wants to write."""
        return self._entrance is not None and self._entrance.yields

    @property
    def writing(self) -> threading.RLock:
        """Held by the thread that writes: one for all clients of an embedded store, one for each client of a server."""
        return self._writing if self._engine is None else self._engine.writing

    @property
    def drafts(self) -> set[int]:
        """Generations that were begun in this process and are not published yet, of all who share `writing`."""
        return self._drafts if self._engine is None else self._engine.drafts

    @property
    def is_read_elsewhere(self) -> bool:
        """Whether an embedded store may be read by another process, through this one."""
        return self._entrance is not None and not self._entrance.nobody_else_reads()

    @property
    def changes(self) -> int | None:
        """A number that stays while nothing is written into an embedded store; None where another process may write."""
        return None if self._engine is None else self._engine.changes

    def answer_readers(self) -> None:
        """Lets other processes read an embedded store through this one; to be called when it is fit to be read."""
        if self._entrance is not None:
            self._entrance.answer_readers()

    def give_way(self) -> None:
        """Waits while another process that reads through this one has just come; see sql/engine/courtesy.py.

        To be called between pieces of work that can wait, by a thread that holds nothing which a statement needs.
        """
        engine = self._engine
        if engine is not None and engine.answers is not None:
            engine.answers.give_way()

    @property
    def is_server(self) -> bool:
        """Whether others may use the store at the same time."""
        return self.location.server is not None

    def query(self, statement: Statement) -> list[Row]:
        """The rows of a SELECT, each as a dict of columns."""
        return self.query_records(statement, lambda row: row)

    def query_records(self, statement: Statement, record: Callable[[Row], Record]) -> list[Record]:
        """What `record` makes of each row of a SELECT. Of a million rows, their dicts would take more than the records."""
        text, values = self._bound(statement)
        result = self._read(statement.name, lambda handle: handle.query(text, parameters=values))
        return [record(dict(zip(result.column_names, row, strict=True))) for row in result.result_rows]

    def query_packed(self, statement: Statement) -> bytes:
        """The rows of a SELECT of numbers as RowBinary: one after the other, little-endian, nothing between them."""
        text, values = self._bound(statement)
        return self._read(
            statement.name, lambda handle: bytes(handle.raw_query(text, parameters=values, fmt="RowBinary"))
        )

    def execute(self, statement: Statement, *, repeatable: bool = False) -> None:
        """A statement that returns nothing; `repeatable` says that a second time does no harm."""
        text, values = self._bound(statement)
        self._run(statement.name, lambda handle: handle.command(text, parameters=values), repeatable=repeatable)

    def delete(self, statement: Statement) -> None:
        """A DELETE, which is done when it returns. StoreError where it does not get on: then it has been taken back."""
        self.change(statement, "old versions of documents could not be deleted from")

    def change(self, statement: Statement, failure: str) -> None:
        """A change of rows that may be repeated, done when it returns; StoreError, which begins with `failure` and the
        table, where it does not get on: then it has been taken back.

        The embedded engine rewrites parts of tables in the background, and waits for space on a full disk for ever.
        """
        if self._engine is None:
            self.execute(statement, repeatable=True)
            return
        text, values = self._bound(statement)
        self._run(statement.name, lambda handle: handle.command(text, parameters=values, settings=dict(IN_BACKGROUND)))
        self._await_changes(failure)

    def _await_changes(self, failure: str) -> None:
        """Waits until the embedded engine has changed everything, as long as it gets on."""
        seen, moved, pause = None, time.monotonic(), 0.002
        while True:
            (left,) = self.query(Statement("unfinished_deletions"))
            state = left["deletions"], left["parts"]
            if not left["deletions"]:
                return
            if state != seen:
                seen, moved = state, time.monotonic()
            patience = EMBEDDED_SECONDS if left["parts_at_work"] else STUCK_SECONDS
            if left["reason"] or time.monotonic() - moved > patience:
                self.execute(Statement("give_up_deletions"))
                reason = left["reason"] or "the engine waits for space on the disk"
                raise StoreError(
                    f"{self.location}: {failure} {', '.join(left['tables'])} ({reason[:200]}): nothing is lost, free some "
                    "space, and the next run does it"
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def give_memory_back(self) -> None:
        """Gives what the embedded engine and Python have freed back to the system, which takes 15 ms. Of a server nothing.

        To be called between stages that need much memory each: else the next one comes on top of what the last one left.
        """
        if self._engine is None:
            return
        with suppress(StoreError):  # an engine that is built without jemalloc has nothing of its own to give
            self.execute(Statement("give_memory_back"))
        trim_heap()

    def holds(self, statement: Statement) -> bool:
        """The answer of a statement that is no SELECT and says 1 or 0."""
        text = self.text_of(statement)
        return str(self._run(statement.name, lambda handle: handle.command(text), repeatable=True)) == "1"

    def create(self, name: str, values: Mapping[str, Value], engine: str = PLAIN_ENGINE) -> None:
        """One file of definitions, all of which say IF NOT EXISTS; values it has no parameter for are left out.

        A table of the plain engine gets another one of the same family where `engine` says so.
        """
        text = read_statement(name).replace(f"ENGINE = {PLAIN_ENGINE}\n", f"ENGINE = {ENGINES_BY_NAME[engine]}\n")
        used = {key: value for key, value in values.items() if f"{{{key}:" in text}
        self._run(name, lambda handle: handle.command(text, parameters=used), repeatable=True)

    def insert(self, table: str, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
        """Rows into one of our tables, given column by column; on disk when it returns.

        A column is a list of Python values; or, where there are many rows, an array, and then the others are arrays or
        lists of text or UUIDs (`sql/engine/native.py`). Sent once and never again by itself. Raises StoreUnreachable where the
        connection fails: the rows may have arrived, which only counting them can tell.
        """
        names, data = list(columns), list(columns.values())
        packed = any(not isinstance(column, list) for column in data)
        block = native_block(columns) if packed else b""
        engine = self._engine

        def insert(handle: Any) -> None:
            if engine is not None:
                insert_from_file(handle, engine, table, block or driver_block(handle, table, names, data))
            elif packed:
                body, method = compressed(block, handle.write_compression)
                handle.raw_insert(f"`{table}`", names, insert_block=body, fmt="Native", compression=method)
            else:
                handle.insert(table, data, column_names=names, column_oriented=True)

        self._run(f"storing {table}", insert)

    def text(self, sql: str, output_format: str | None, values: Mapping[str, Value] | None = None) -> bytes:
        """Whatever the user's own SQL prints, in a format of the engine's; `values` are its parameters."""
        # None, not {}: with values the driver takes every % of a statement without parameters for a place to fill
        bound = dict(values) if values else None
        return self._run(
            "your statement", lambda handle: bytes(handle.raw_query(sql, parameters=bound, fmt=output_format))
        )

    def rows(self, sql: str, values: Mapping[str, Value] | None = None) -> list[Row]:
        """Whatever the user's own SQL returns, with Python values; `values` are its parameters. None of an INSERT."""
        bound = dict(values) if values else None

        def read(handle: Any) -> list[Row]:
            if not returns_rows(sql):
                handle.raw_query(sql, parameters=bound)
                return []
            return list(handle.query(sql, parameters=bound).named_results())

        return self._run("your statement", read)

    def cancel(self) -> None:
        """Stops the statement that an interrupt left running, so that the client can go on.

        A server is left to finish what it runs: it has other clients, and gives up on its own when the result has
        nobody to go to.
        """
        with self._guard:
            borrowed = [handle for handle in self._idle if is_borrowed(handle)] if self._interrupted else []
        for handle in borrowed:
            handle.stop_statement()
        if self._engine is not None and self._interrupted:
            handle = connect_to_engine(self._engine, read_only=False)  # KILL QUERY is refused else
            text = Statement("cancel_statements").text
            try:
                self._run("stopping a statement", lambda own: handle.command(text))
            finally:
                handle.close()
        self._interrupted = False

    def localize(self, statement: Statement) -> Statement:
        """A statement in the form that this back end takes."""
        server = self.location.server
        return statement if server is None else replace(statement, variant=server.variant)

    def text_of(self, statement: Statement) -> str:
        """A statement's text as it is sent to this back end."""
        return without_comments(self.localize(statement).text)

    def _bound(self, statement: Statement) -> tuple[str, dict[str, Any]]:
        """A statement's text and the values of its parameters as they are sent to this back end."""
        return bound(self.text_of(statement), statement.values, in_pieces=self.is_server)

    def close(self) -> None:
        """Closes every handle; a closed client stays closed."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            handles, self._handles, self._idle = self._handles, [], []
        atexit.unregister(self.close)
        for handle in handles:
            if is_borrowed(handle):
                handle.close()  # which stops its statement as well
        if self._interrupted and self._engine is not None:
            return  # its statement still runs and closing would wait for it; the end of the process gives all back
        for handle in handles:
            handle.close()
        if self._entrance is not None:
            self._entrance.leave()

    def abandon(self) -> None:
        """Forgets every handle without a word to what is behind it; run in a process that was forked from its own."""
        for handle in self._handles:
            if is_borrowed(handle):
                handle.abandon()
            elif self._entrance is not None:
                handle._backend._release.detach()  # would close the engine's handle when Python ends, and wait for ever
                keep_for_ever(handle._backend._handle)  # and so would its destructor
        if self._entrance is not None:
            self._entrance.abandon()
        self._guard = threading.Lock()
        self._room = threading.Condition(self._guard)
        self._closed, self._handles, self._idle = True, [], []
        atexit.unregister(self.close)

    def _take_handle(self, limit: float | None) -> Any:
        """A connection that nobody uses: the one that was used last, whose settings are known, or a new one."""
        self._refuse_forked()
        with self._guard:
            if self._closed:
                raise StoreError(f"the store {self.location} has been closed")
            if self._idle:
                return self._idle.pop()
        handle = in_helper_thread(self._connect, limit)
        with self._guard:
            if not self._closed:
                self._handles.append(handle)
                return handle
        handle.close()
        raise StoreError(f"the store {self.location} has been closed")

    def _give_handle(self, handle: Any) -> None:
        """Keeps a connection for the next statement."""
        with self._guard:
            if not self._closed:
                self._idle.append(handle)

    def _refuse_forked(self) -> None:
        """Raises StoreError in a process that was forked from the one that opened the store."""
        if self._process == os.getpid():
            return
        ENGINES.refuse_forked()
        raise StoreError(
            f"{self.location} was opened by process {self._process}, from which this one was forked, and two processes "
            "cannot share a connection: open the store after the fork"
        )

    def _read(self, what: str, work: Callable[[Any], Result]) -> Result:
        """Runs one call of the driver that changes nothing."""
        return self._attempt(what, work, repeatable=True)

    def _run(self, what: str, work: Callable[[Any], Result], *, repeatable: bool = False) -> Result:
        """Runs one call of the driver that may change something; `changes` counts it when it is done or has failed."""
        try:
            return self._attempt(what, work, repeatable=repeatable)
        finally:
            if (engine := self._engine) is not None:
                engine.count_change()

    def _attempt(self, what: str, work: Callable[[Any], Result], *, repeatable: bool = False) -> Result:
        """Runs one call of the driver on a handle of its own.

        A server's failed connection is tried again a few times, but only where the statement may be `repeatable`:
        of one that was cut off nobody knows whether it was carried out. All tries together have the server's timeout.
        """
        server = self.location.server
        limit = time.monotonic() + (EMBEDDED_SECONDS if server is None else server.timeout)
        pauses = list(RETRY_PAUSES) if repeatable and server is not None else []
        holders = 0
        while True:
            try:
                return self._in_time(work, limit)
            except KeyboardInterrupt:
                self._interrupted = True
                raise
            except HolderGone as gone:
                holders += 1  # only a reader borrows an engine, and may have everything done again
                if holders == MOST_HOLDERS:
                    raise StoreUnreachable(
                        f"{self.location}: {holders} processes that had the store have ended before {what} was done: "
                        "try again"
                    ) from gone
            except RagError:
                raise
            except Exception as error:
                failure = explain_failure(what, self.location, error)
                if not isinstance(failure, StoreUnreachable) or not pauses or time.monotonic() + pauses[0] > limit:
                    raise failure from error
                time.sleep(pauses.pop(0))

    def _in_time(self, work: Callable[[Any], Result], limit: float) -> Result:
        """Does `work` in a helper thread, so that waiting can end before it does: at Ctrl-C, or at the time limit.

        The timeouts of a socket are not enough: they begin anew with every byte that trickles in.
        """
        self._begin_statement(limit)
        try:
            return self._on_a_handle(work, limit)
        finally:
            with self._guard:
                self._at_work -= 1
                self._room.notify_all()

    def _begin_statement(self, limit: float) -> None:
        """Waits while the store is being given to a writer."""
        with self._guard:
            while self._making_room and (left := limit - time.monotonic()) > 0:
                self._room.wait(left)
            self._at_work += 1

    def _make_room(self) -> None:
        """Gives an embedded store to a writer as soon as no statement is at work; not at all where one does not end."""
        with self._guard:
            if self._closed or self._making_room:
                return
            self._making_room = True
        try:
            with self._guard:
                still = self._room.wait_for(lambda: self._at_work == 0, MOST_ROOM_SECONDS)
                # A statement that was given up on goes on, and so does its handle.
                if not still or self._closed or len(self._handles) > len(self._idle) or self._entrance is None:
                    return
                handles, self._handles, self._idle = self._handles, [], []
            for handle in handles:
                handle.close()
            self._entrance.give_up()
        finally:
            with self._guard:
                self._making_room = False
                self._room.notify_all()

    def _on_a_handle(self, work: Callable[[Any], Result], limit: float) -> Result:
        handle = self._take_handle(limit)
        try:
            result = in_helper_thread(lambda: work(handle), limit)
        except KeyboardInterrupt:
            if self._entrance is not None:
                self._give_handle(handle)  # what was set on it is wanted again when its statement has been stopped
            else:
                self._forget_handle(handle)
            raise
        except HolderGone:
            self._forget_holder(handle)
            raise
        except Exception as error:
            if self._entrance is None and is_connection_trouble(error):
                self._forget_handle(handle)
            elif not isinstance(error, NoAnswerInTime):
                (self._give_handle if self._settled(handle) else self._forget_handle)(handle)
            raise
        self._give_handle(handle)
        return result

    def _settled(self, handle: Any) -> bool:
        """Whether a handle can be used after an error; one that is borrowed has been settled where it is."""
        return self.location.server is not None or is_borrowed(handle) or settle(handle)

    def _forget_handle(self, handle: Any) -> None:
        """Closes a connection that may still be waiting for an answer; the next statement opens a new one."""
        with self._guard:
            self._handles = [other for other in self._handles if other is not handle]
        handle.close()

    def _forget_holder(self, handle: Any) -> None:
        """Closes what there is to a process that does not have the store any more; the next handle is on another engine."""
        if self._entrance is not None:
            self._entrance.lost(handle)
        with self._guard:
            waiting = [other for other in self._idle if is_borrowed(other)]
            self._idle = [other for other in self._idle if not is_borrowed(other)]
        for gone in (handle, *waiting):
            self._forget_handle(gone)


CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()


def abandon_clients() -> None:
    """In a process that was just forked: the clients belong to the other one."""
    for client in list(CLIENTS):
        client.abandon()


os.register_at_fork(after_in_child=abandon_clients)


def is_borrowed(handle: Any) -> bool:
    """Whether another process runs the statements of a handle."""
    return getattr(handle, "borrowed", False)
