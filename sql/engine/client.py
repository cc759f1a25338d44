"""The one door to the database driver: a ClickHouse in this process (chDB) or a server, the same statements for both.

Statements and values in, rows out. Every error of the driver leaves here as a StoreError of one sentence.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import re
import threading
import time
import weakref
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sql.base.errors import DatabaseMissing, RagError, StoreError, StoreUnreachable
from sql.engine.embedded import ENGINES, Engine, import_engine, keep_for_ever
from sql.engine.location import Location, Server, parse_location
from sql.engine.native import native_block
from sql.engine.statements import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sql.engine.statements import Value

__all__ = ["Client", "Location", "Row", "parse_location"]

Result = TypeVar("Result")
Row = dict[str, Any]

SESSION_SETTINGS = {
    "async_insert": 0,  # on by default since 26.x; an insert must be on disk when it returns
    "mutations_sync": 1,
    "lightweight_deletes_sync": 1,
    # Every question has other constants, so an expression that was compiled for one is of no use to the next.
    "compile_expressions": 0,
    # A search that reads some cells of a table is to use all cores, small as it is.
    "merge_tree_min_rows_for_concurrent_read": 8192,
    "merge_tree_min_bytes_for_concurrent_read": 1 << 20,
}
CONSTRAINT_VIOLATED, NOT_ENOUGH_SPACE, READONLY = 469, 243, 164
UNKNOWN_DATABASE, TOO_SLOW, TOO_MANY_QUERIES, MEMORY_LIMIT, ACCESS_DENIED, WRONG_PASSWORD = 81, 159, 202, 241, 497, 516
SHARD_IS_AWAY = {198, 209, 210, 279}  # DNS error, socket timeout, network error, all connection tries failed
# ENOSPC and EDQUOT: where the engine meets them at a file, its code says only that the file cannot be opened or written.
NO_ROOM = re.compile(r"\berrno: (?:28|122)\b")
REMEDIES = {
    NOT_ENOUGH_SPACE: "the disk of the store is full: nothing was lost, free some space and run the command again",
    READONLY: "the store was opened read-only, which does not allow changing anything, or reading files and addresses with "
    "file(), url() and the like: add --write for that",
    CONSTRAINT_VIOLATED: "a row does not fit the table and nothing of the insert was stored",
    TOO_SLOW: "the statement took longer than it may: allow more with ?timeout=SECONDS at the end of --db",
    TOO_MANY_QUERIES: "the server is busy with other statements: try again",
    MEMORY_LIMIT: "the server has not enough memory for the statement",
    WRONG_PASSWORD: "the server does not accept the user and password in --db",
}
MORE_TIME = "try again, or allow more with ?timeout=SECONDS at the end of --db"
# Signs in the text of a connection's error, the first that is found counts; trying again may help where it is unreachable.
CONNECTION_SIGNS: tuple[tuple[tuple[str, ...], type[StoreError], str], ...] = (
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        StoreError,
        "the server's certificate is not trusted: name its authority with ?ca_cert=FILE",
    ),
    (("SSL",), StoreError, "no TLS with this server: check the scheme (clickhouse:// is without TLS) and the port"),
    (("Name or service not known", "getaddrinfo"), StoreError, "there is no host with this name: check --db"),
    (
        ("Connection refused",),
        StoreUnreachable,
        "nothing listens there: start the server, or check host and port in --db",
    ),
    (("timed out",), StoreUnreachable, f"no answer in time: {MORE_TIME}"),
    (("unreachable",), StoreUnreachable, "the host cannot be reached: check the network and --db"),
)
PLAIN_ENGINE = "MergeTree"
ENGINES_BY_NAME = {
    PLAIN_ENGINE: PLAIN_ENGINE,
    # The path has to be the same on all replicas of a shard; the server fills in what stands in braces.
    "ReplicatedMergeTree": "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
}
CLUSTER_SETTINGS: dict[str, int | str] = {
    "distributed_foreground_insert": 1,  # an insert has arrived on every shard when it returns
    "distributed_product_mode": "local",  # a document's manifest rows lie beside its chunks: each shard looks at its own
}
REPLICA_SETTINGS: dict[str, int | str] = {
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}
IN_BACKGROUND = {"mutations_sync": 0, "lightweight_deletes_sync": 0}
PATH_PLACE = "/* path */"  # in the statement that reads a file
STUCK_SECONDS = 10.0  # after which a deletion that the engine does not even begin is taken back
EMBEDDED_SECONDS = 3600.0  # that one statement of the embedded engine may take: far more than any of ours
ENGINE_SETTINGS = SESSION_SETTINGS | {"max_execution_time": int(EMBEDDED_SECONDS)}
HELPERS = threading.local()  # `working` in the threads that do nothing but our statements
RETRY_PAUSES = (0.1, 0.4, 1.0)  # seconds before a statement that may be repeated is sent again: a restart takes longer


class Client:
    """Runs statements. Safe to share between threads: each thread gets a handle of its own."""

    def __init__(self, location: Location, *, read_only: bool = False, create_database: bool = False) -> None:
        self.location = location
        self.read_only = read_only
        self.first_in_process = False
        self._engine: Engine | None = None
        self._process = os.getpid()
        self._handles: list[Any] = []
        self._idle: list[Any] = []
        self._guard = threading.Lock()
        self._writing = threading.RLock()
        self._drafts: set[int] = set()
        self._closed = False
        self._interrupted = False
        self._connect: Callable[[], Any]
        if location.server is not None:
            self._connect = partial(connect_to_server, location.server, read_only=read_only)
        elif location.folder is not None:
            self._engine = ENGINES.join(resolved(location.folder), write=not read_only)
            self.first_in_process = self._engine.clients == 1
            self._connect = partial(connect_to_engine, self._engine, read_only=read_only)
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
    def writing(self) -> threading.RLock:
        """Held by the thread that writes: one for all clients of an embedded store, one for each client of a server."""
        return self._writing if self._engine is None else self._engine.writing

    @property
    def drafts(self) -> set[int]:
        """Generations that were begun in this process and are not published yet, of all who share `writing`."""
        return self._drafts if self._engine is None else self._engine.drafts

    @property
    def is_alone(self) -> bool:
        """Whether nobody but this client reads or writes the store: an embedded one that no other client has open."""
        return self._engine is not None and self._engine.clients == 1

    @property
    def is_server(self) -> bool:
        """Whether others may use the store at the same time."""
        return self.location.server is not None

    def query(self, statement: Statement) -> list[Row]:
        """The rows of a SELECT, each as a dict of columns."""
        text, values = self.text_of(statement), dict(statement.values)
        result = self._run(statement.name, lambda handle: handle.query(text, parameters=values), repeatable=True)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def query_packed(self, statement: Statement) -> bytes:
        """The rows of a SELECT of numbers as RowBinary: one after the other, little-endian, nothing between them."""
        text, values = self.text_of(statement), dict(statement.values)
        return self._run(
            statement.name,
            lambda handle: bytes(handle.raw_query(text, parameters=values, fmt="RowBinary")),
            repeatable=True,
        )

    def execute(self, statement: Statement, *, repeatable: bool = False) -> None:
        """A statement that returns nothing; `repeatable` says that a second time does no harm."""
        text, values = self.text_of(statement), dict(statement.values)
        self._run(statement.name, lambda handle: handle.command(text, parameters=values), repeatable=repeatable)

    def delete(self, statement: Statement) -> None:
        """A DELETE, which is done when it returns. StoreError where it does not get on: then it has been taken back.

        The embedded engine rewrites parts of tables in the background, and waits for space on a full disk for ever.
        """
        if self._engine is None:
            self.execute(statement, repeatable=True)
            return
        text, values = self.text_of(statement), dict(statement.values)
        self._run(statement.name, lambda handle: handle.command(text, parameters=values, settings=dict(IN_BACKGROUND)))
        self._await_deletions()

    def _await_deletions(self) -> None:
        """Waits until the embedded engine has deleted everything, as long as it gets on."""
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
                    f"{self.location}: old versions of documents could not be deleted from {', '.join(left['tables'])} "
                    f"({reason[:200]}): nothing is lost, free some space, and the next run deletes them"
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

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

    def cancel(self) -> None:
        """Stops the statement that an interrupt left running, so that the client can go on.

        A server is left to finish what it runs: it has other clients, and gives up on its own when the result has
        nobody to go to.
        """
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
        return self.localize(statement).text

    def close(self) -> None:
        """Closes every handle; a closed client stays closed."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            handles, self._handles, self._idle = self._handles, [], []
        atexit.unregister(self.close)
        if self._interrupted:
            return  # its statement still runs and closing would wait for it; the end of the process gives all back
        for handle in handles:
            handle.close()
        if self._engine is not None:
            ENGINES.leave(self._engine)

    def abandon(self) -> None:
        """Forgets every handle without a word to what is behind it; run in a process that was forked from its own."""
        for handle in self._handles:
            if self._engine is not None:
                handle._backend._release.detach()  # would close the engine's handle when Python ends, and wait for ever
                keep_for_ever(handle._backend._handle)  # and so would its destructor
        self._guard = threading.Lock()
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

    def _run(self, what: str, work: Callable[[Any], Result], *, repeatable: bool = False) -> Result:
        """Runs one call of the driver on a handle of its own.

        A server's failed connection is tried again a few times, but only where the statement may be `repeatable`:
        of one that was cut off nobody knows whether it was carried out. All tries together have the server's timeout.
        """
        server = self.location.server
        limit = time.monotonic() + (EMBEDDED_SECONDS if server is None else server.timeout)
        pauses = list(RETRY_PAUSES) if repeatable and server is not None else []
        while True:
            try:
                return self._in_time(work, limit)
            except KeyboardInterrupt:
                self._interrupted = True
                raise
            except RagError:
                raise
            except Exception as error:
                failure = explain(what, self.location, error)
                if not isinstance(failure, StoreUnreachable) or not pauses or time.monotonic() + pauses[0] > limit:
                    raise failure from error
                time.sleep(pauses.pop(0))

    def _in_time(self, work: Callable[[Any], Result], limit: float) -> Result:
        """Does `work` in a helper thread, so that waiting can end before it does: at Ctrl-C, or at the time limit.

        The timeouts of a socket are not enough: they begin anew with every byte that trickles in.
        """
        handle = self._take_handle(limit)
        try:
            result = in_helper_thread(lambda: work(handle), limit)
        except KeyboardInterrupt:
            if self._engine is not None:
                self._give_handle(handle)  # what was set on it is wanted again when its statement has been stopped
            else:
                self._forget_handle(handle)
            raise
        except Exception as error:
            if self._engine is None and is_connection_trouble(error):
                self._forget_handle(handle)
            elif not isinstance(error, NoAnswerInTime):
                self._give_handle(handle)
            raise
        self._give_handle(handle)
        return result

    def _forget_handle(self, handle: Any) -> None:
        """Closes a connection that may still be waiting for an answer; the next statement opens a new one."""
        with self._guard:
            self._handles = [other for other in self._handles if other is not handle]
        handle.close()


CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()


def abandon_clients() -> None:
    """In a process that was just forked: the clients belong to the other one."""
    for client in list(CLIENTS):
        client.abandon()


os.register_at_fork(after_in_child=abandon_clients)


def resolved(folder: Path) -> Path:
    """The folder without symbolic links; StoreError for links that lead round in a circle."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:
        raise StoreError(f"{folder} cannot be found ({error}): give --db the path of a folder") from error


class NoAnswerInTime(Exception):
    """A call took longer than it may."""


def connect_to_engine(engine: Engine, *, read_only: bool) -> Any:
    """A handle for one thread at a time on the engine of this process."""
    import_engine()
    import clickhouse_connect

    handle = clickhouse_connect.get_client(interface="chdb", path=engine.data, settings=dict(ENGINE_SETTINGS))
    if engine.shadow is not None:
        handle.command(Statement("stop_merges").text)
    if read_only:
        handle.command("SET readonly = 1")  # last: afterwards no setting can be changed any more
    return handle


def insert_from_file(handle: Any, engine: Engine, table: str, block: bytes) -> None:
    """Hands a block to chDB, which takes long data out of a file only: one in our folder, where a kill may leave it."""
    file, path = engine.new_payload()
    with file:
        file.write(block)
        file.flush()
        statement = Statement("insert_block", {"table": table})
        handle.raw_query(statement.text.replace(PATH_PLACE, path), parameters=dict(statement.values))


def driver_block(handle: Any, table: str, names: Sequence[str], data: Sequence[Any]) -> bytes:
    """Columns of Python values as a block, each as its column of the table wants it."""
    from clickhouse_connect.driver.transform import NativeTransform

    context = handle.create_insert_context(table, names, data=data, column_oriented=True)
    body = b"".join(NativeTransform.build_insert(context))
    if context.insert_exception is not None:
        raise context.insert_exception
    return body.partition(b"\n")[2]  # behind the statement that the driver begins with


def connect_to_server(server: Server, *, read_only: bool) -> Any:
    """A handle for one thread on the first host of `server`, with our settings where its user may change them."""
    import clickhouse_connect

    keep_driver_silent()
    host, port = server.hosts[0]
    tls = {name: getattr(server, name) for name in ("ca_cert", "client_cert", "client_cert_key")}
    handle = clickhouse_connect.get_client(
        host=host,
        port=port,
        username=server.username,
        password=server.password,
        database=server.database,
        secure=server.secure,
        verify=server.verify,
        **{name: str(Path(path).expanduser()) for name, path in tls.items() if path},
        connect_timeout=math.ceil(server.connect_timeout),
        send_receive_timeout=math.ceil(server.timeout),
        query_retries=0,  # repeating is our decision
        show_clickhouse_errors="scrub",  # our sentence names the place
        autogenerate_session_id=False,
        dedicated_pool=True,
    )
    handle.http_retries = 0
    be_strict(handle)
    rank = handle.server_settings.get("readonly")
    if rank is None:
        raise ConnectionResetError("the settings of the server did not arrive")
    wanted: dict[str, int | str] = dict(SESSION_SETTINGS)
    wanted |= {"max_execution_time": max(1, math.ceil(server.timeout))}
    if server.cluster:
        wanted |= CLUSTER_SETTINGS
    if server.replicated:
        wanted |= REPLICA_SETTINGS
    for name, value in wanted.items():
        definition = handle.server_settings.get(name)
        if definition is not None and not definition.readonly:
            handle.set_client_setting(name, value)
    if read_only and rank.value == "0":
        # With every statement, beside the other settings: the server applies them in one step and then allows no more.
        handle.set_client_setting("readonly", 1)
    return handle


def is_not_ours(record: logging.LogRecord) -> bool:  # noqa: ARG001 - a filter of logging
    """Whether what the driver logs was caused by others in the process."""
    return not getattr(HELPERS, "working", False)


def keep_driver_silent() -> None:
    """Keeps what the driver logs of our statements out of every log: what went wrong is said once, in our sentence.

    Other users of the driver in this process keep their records.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("clickhouse_connect"):
            logging.getLogger(name).addFilter(is_not_ours)  # a second time does nothing


def be_strict(handle: Any) -> None:
    """Keeps the driver from two things that it does after a cut connection, which tests with a proxy show.

    It sends an insert again, although the first one may have arrived; and it takes an answer that broke off among its
    headers for a whole one without rows.
    """
    backend = handle._backend  # the driver has no switch for either
    request = backend.request

    def strictly(*arguments: Any, **options: Any) -> Any:
        if options.get("server_wait") is False:  # as inserts and commands have it; what may be repeated is our decision
            options |= {"retry_body": None, "retryable": False}
        response = request(*arguments, **options)
        if not {"transfer-encoding", "content-length"} & {name.lower() for name in response.headers}:
            response.close()
            raise ConnectionResetError("the answer ended before its length was given")
        return response

    backend.request = strictly


def compressed(block: bytes, method: str | None) -> tuple[bytes, str | None]:
    """The body of an insert as a connection wants it, and how it was made smaller."""
    from clickhouse_connect.driver.compression import get_compressor

    if method is None:
        return block, None
    compressor = get_compressor(method)
    return compressor.compress_block(block) + (compressor.flush() or b""), method


def in_helper_thread(work: Callable[[], Result], limit: float | None) -> Result:
    """Waits for a thread doing `work`: waiting can be interrupted and can end, a running statement can not.

    Raises NoAnswerInTime where it is not done at `limit`, a time of the monotonic clock; the thread is left to itself.
    A thread that is kept for the next statement would save 0.4 ms, and can crash the interpreter when it ends.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        HELPERS.working = True
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True, name="statement")
    thread.start()
    thread.join(None if limit is None else max(0.0, limit - time.monotonic()))
    if failure:
        raise failure[0]
    if not outcome:
        raise NoAnswerInTime
    return outcome[0]


def explain(what: str, location: Location, error: Exception) -> StoreError:
    """Our error, one sentence, for an error of the driver: with a remedy where we have one, else the engine's first line."""
    code = getattr(error, "code", None) or error_code(str(error))
    if code is None and location.server is not None and is_connection_trouble(error):
        return explain_connection(location, location.server, error)
    line = first_line(error)
    if code == ACCESS_DENIED and location.server is not None:
        right = line.partition("Not enough privileges. ")[2] or line
        return StoreError(f"{location}: the user {location.server.username} may not do this: {right}")
    if code in SHARD_IS_AWAY:
        return StoreUnreachable(
            f"{location}: a node of the cluster cannot be reached: start it, nothing was lost ({line})"
        )
    if code == UNKNOWN_DATABASE:
        return DatabaseMissing(f"{location}: the database does not exist: create it, or ingest as a user who may")
    if code != NOT_ENOUGH_SPACE and NO_ROOM.search(line):
        return StoreError(
            f"{location}: the disk of the store has no room for another file: nothing was lost, free some space (or inodes, "
            f"see `df -i`) and run the command again ({line})"
        )
    if code in REMEDIES:
        return StoreError(f"{location}: {REMEDIES[code]} ({line})")
    return StoreError(f"{location}: {what} failed: {line}")


def first_line(error: Exception) -> str:
    """The engine's message without what the driver writes around it."""
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    _, found, message = line.partition("server response: ")
    return (message if found else line)[:500]


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def is_connection_trouble(error: Exception) -> bool:
    """Whether an error without a code of the server's came from the network, not from the values we gave."""
    return any(
        isinstance(one, (OSError, NoAnswerInTime))
        or type(one).__module__.startswith("urllib3.")
        or type(one).__name__ in {"OperationalError", "StreamFailureError"}
        for one in chain(error)
    )


def explain_connection(location: Location, server: Server, error: Exception) -> StoreError:
    """What went wrong on the way to the server and what to do; StoreUnreachable where trying again may help."""
    if isinstance(error, NoAnswerInTime):
        return StoreUnreachable(f"{location}: no answer within {server.timeout:g} s: {MORE_TIME}")
    text = " ".join(str(one) for one in chain(error))
    for signs, kind, sentence in CONNECTION_SIGNS:
        if any(sign in text for sign in signs):
            return kind(f"{location}: {sentence}")
    return StoreUnreachable(f"{location}: the connection was cut: run the command again when the server is well")


def error_code(message: str) -> int | None:
    """The number in `Code: 243. DB::Exception: ...`."""
    _, _, rest = message.partition("Code: ")
    digits = rest.split(".", 1)[0].strip()
    return int(digits) if digits.isdigit() else None
