"""The one door to the database driver: a ClickHouse in this process (chDB) or a server, the same statements for both.

Statements and values in, rows out. Every error of the driver leaves here as a StoreError of one sentence.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from sql.errors import StoreError, UsageError
from sql.lock import acquire_lock, release_lock
from sql.statements import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sql.statements import Value

Result = TypeVar("Result")
Row = dict[str, Any]

SERVER_SCHEMES = {"clickhouse": False, "clickhouses": True, "http": False, "https": True}  # scheme: TLS
SESSION_SETTINGS = {
    "async_insert": 0,  # on by default since 26.x; an insert must be on disk when it returns
    "mutations_sync": 1,
    "lightweight_deletes_sync": 1,
}
CONSTRAINT_VIOLATED, NOT_ENOUGH_SPACE, READONLY = 469, 243, 164
REMEDIES = {
    NOT_ENOUGH_SPACE: "the disk of the store is full: nothing was lost, free some space and run the command again",
    READONLY: "the store was opened read-only, add --write if you want more than to read",
    CONSTRAINT_VIOLATED: "a row does not fit the table and nothing of the insert was stored",
}


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store lives: a folder (embedded) or a server."""

    text: str
    folder: Path | None
    server: str = ""

    @property
    def may_hold_store(self) -> bool:
        """Whether there is anything to open: a folder with an engine's data, or a server, which has to be asked."""
        return self.folder is None or (self.folder / "data").is_dir()

    def require_store(self) -> None:
        """Raises StoreError where a reader would find nothing."""
        if not self.may_hold_store:
            raise StoreError(f"there is no store at {self}: make one with `python -m ingest FOLDER --db {self}`")

    def __str__(self) -> str:
        """The location without its password."""
        if self.folder is not None:
            return self.text
        parts = urlsplit(self.server)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or '(default port)'}{parts.path}"


def parse_location(text: str) -> Location:
    """A folder, `chdb:///folder`, or `clickhouse://user:password@host:port/database` (`clickhouses://` for TLS)."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Location(text, Path(text).expanduser())
    if scheme == "chdb":
        return Location(text, Path(unquote(rest)))
    if scheme in SERVER_SCHEMES:
        try:
            server_arguments(text)
        except ValueError as error:
            raise UsageError(
                # not the parser's own words: they may hold a part of the password
                f"--db {scheme}://... cannot be read: write {scheme}://user:password@host:port/database, "
                "with percent-encoding for special characters in the password"
            ) from error
        return Location(text, None, text)
    known = ", ".join(f"{name}://" for name in ("chdb", *SERVER_SCHEMES))
    raise UsageError(f"--db {scheme}://... is not known: give a folder or one of {known}")


@dataclass
class Engine:
    """The embedded engine of this process: chDB runs one folder at a time, which any number of clients may share."""

    folder: Path
    lock: int
    clients: int = 0


@dataclass
class EngineRegistry:
    """Which folder this process has open. Clients of one folder share the engine; another folder has to wait."""

    guard: threading.RLock = field(default_factory=threading.RLock)
    engine: Engine | None = None

    def join(self, folder: Path) -> Engine:
        """The engine of `folder`, started where it is not running; StoreBusy where another process runs it."""
        with self.guard:
            if self.engine is not None and self.engine.folder != folder:
                raise StoreError(
                    f"this process has the store {self.engine.folder} open and chDB runs one store a process: "
                    f"close it before opening {folder}"
                )
            if self.engine is None:
                refuse_foreign_folder(folder)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                engine = Engine(folder, acquire_lock(folder / "lock"))
                # Payloads of inserts that were killed; ours alone, because we hold the lock.
                shutil.rmtree(folder / "tmp", ignore_errors=True)
                (folder / "tmp").mkdir(mode=0o700)
                self.engine = engine
            self.engine.clients += 1
            return self.engine

    def leave(self, engine: Engine) -> None:
        """One client fewer; the last one gives the folder back to other processes."""
        with self.guard:
            engine.clients -= 1
            if engine.clients == 0 and self.engine is engine:
                release_lock(engine.lock)
                self.engine = None


def refuse_foreign_folder(folder: Path) -> None:
    """Raises StoreError for a folder with other things in it: an engine would be started there and its `tmp` emptied."""
    visible = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.exists() else []
    if visible and "lock" not in visible:
        raise StoreError(f"{folder} is not a store, it holds {visible[0]}: give --db a new or an empty folder")


ENGINES = EngineRegistry()
INSERT_FOLDER = threading.Lock()


class Client:
    """Runs statements. Safe to share between threads: each thread gets a handle of its own."""

    def __init__(self, location: Location, *, read_only: bool = False) -> None:
        self.location = location
        self.read_only = read_only
        self.first_in_process = False
        self._engine: Engine | None = None
        self._local = threading.local()
        self._handles: list[Any] = []
        self._guard = threading.Lock()
        self._closed = False
        self._interrupted = False
        if location.folder is not None:
            self._engine = ENGINES.join(location.folder.resolve())
            self.first_in_process = self._engine.clients == 1
        try:
            self._handle()
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)  # a handle still open when the interpreter ends can crash the engine

    def query(self, statement: Statement) -> list[Row]:
        """The rows of a SELECT, each as a dict of columns."""
        handle = self._handle()
        result = self._run(statement.name, lambda: handle.query(statement.text, parameters=dict(statement.values)))
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def execute(self, statement: Statement) -> None:
        """A statement that returns nothing."""
        handle = self._handle()
        self._run(statement.name, lambda: handle.command(statement.text, parameters=dict(statement.values)))

    def create(self, name: str, values: Mapping[str, Value]) -> None:
        """One file of `sql/schema/`; values it has no parameter for are left out."""
        text = read_statement(name)
        used = {key: value for key, value in values.items() if f"{{{key}:" in text}
        handle = self._handle()
        self._run(name, lambda: handle.command(text, parameters=used))

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Rows into one of our tables, given column by column as Python values; on disk when it returns."""
        handle = self._handle()
        names, data = list(columns), list(columns.values())

        def insert() -> None:
            with self._private_temporary_folder():
                handle.insert(table, data, column_names=names, column_oriented=True)

        self._run(f"storing {table}", insert)

    def text(self, sql: str, output_format: str | None, values: Mapping[str, Value] | None = None) -> bytes:
        """Whatever the user's own SQL prints, in a format of the engine's; `values` are its parameters."""
        handle = self._handle()
        # None, not {}: with values the driver takes every % of a statement without parameters for a place to fill
        bound = dict(values) if values else None
        return self._run("your statement", lambda: bytes(handle.raw_query(sql, parameters=bound, fmt=output_format)))

    def cancel(self) -> None:
        """Stops the statement that an interrupt left running, so that the client can go on.

        A server is left to finish what it runs: it has other clients, and gives up on its own when the result has
        nobody to go to.
        """
        if self._engine is not None and self._interrupted:
            handle = self._connect(read_only=False)  # KILL QUERY is refused to a read-only one
            try:
                self._run("stopping a statement", lambda: handle.command(Statement("cancel_statements").text))
            finally:
                handle.close()
        self._interrupted = False

    def close(self) -> None:
        """Closes every thread's handle; a closed client stays closed."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            handles, self._handles = self._handles, []
        atexit.unregister(self.close)
        if self._interrupted:
            return  # its statement still runs and closing would wait for it; the end of the process gives all back
        for handle in handles:
            handle.close()
        if self._engine is not None:
            ENGINES.leave(self._engine)

    def _handle(self) -> Any:
        """This thread's connection, opened on first use."""
        if self._closed:
            raise StoreError(f"the store {self.location} has been closed")
        handle = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._run("opening the store", lambda: self._connect(read_only=self.read_only))
            self._local.handle = handle
            with self._guard:
                self._handles.append(handle)
        return handle

    def _connect(self, *, read_only: bool) -> Any:
        import clickhouse_connect

        if self._engine is not None:
            handle = clickhouse_connect.get_client(
                interface="chdb", path=str(self._engine.folder / "data"), settings=dict(SESSION_SETTINGS)
            )
        else:
            handle = clickhouse_connect.get_client(
                settings=dict(SESSION_SETTINGS), autogenerate_session_id=False, **server_arguments(self.location.server)
            )
        if read_only and self._engine is not None:
            handle.command("SET readonly = 1")  # last: afterwards no setting can be changed any more
        return handle

    @contextmanager
    def _private_temporary_folder(self) -> Iterator[None]:
        """The driver hands rows to chDB through a temporary file, and a kill leaves it behind: keep it in our folder."""
        if self._engine is None:
            yield
            return
        with INSERT_FOLDER:
            before, tempfile.tempdir = tempfile.tempdir, str(self._engine.folder / "tmp")
            try:
                yield
            finally:
                tempfile.tempdir = before

    def _run(self, what: str, work: Callable[[], Result]) -> Result:
        """Runs one call of the driver; on the main thread in a helper thread, so that Ctrl-C is heard at once."""
        if threading.current_thread() is threading.main_thread():
            work = in_helper_thread(work)
        try:
            return work()
        except KeyboardInterrupt:
            self._interrupted = True
            raise
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(explain(what, self.location, error)) from error


def server_arguments(dsn: str) -> dict[str, Any]:
    """What the driver wants to know about a server; a percent-encoded user, password or database is decoded."""
    parts = urlsplit(dsn)
    secure = SERVER_SCHEMES[parts.scheme]
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or (8443 if secure else 8123),
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.strip("/")) or "default",
        "secure": secure,
    }


def in_helper_thread(work: Callable[[], Result]) -> Callable[[], Result]:
    """`work` as a call that waits for a thread doing it: waiting can be interrupted, a running statement can not."""

    def wait() -> Result:
        outcome: list[Result] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(work())
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=run, daemon=True, name="statement")
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    return wait


def explain(what: str, location: Location, error: Exception) -> str:
    """One sentence about an error of the driver: our remedy where we have one, else the engine's first line."""
    code = getattr(error, "code", None) or error_code(str(error))
    first_line = str(error).strip().splitlines()[0][:500] if str(error).strip() else type(error).__name__
    if code in REMEDIES:
        return f"{location}: {REMEDIES[code]} ({first_line})"
    return f"{location}: {what} failed: {first_line}"


def error_code(message: str) -> int | None:
    """The number in `Code: 243. DB::Exception: ...`."""
    _, _, rest = message.partition("Code: ")
    digits = rest.split(".", 1)[0].strip()
    return int(digits) if digits.isdigit() else None
