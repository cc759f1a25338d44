"""The reader's side of reading a store that another process has: a handle of the driver whose statements that one runs.

The driver binds values and reads results as ever; only in between they go over a socket (`sql/engine/wire.py`). The engine
is not even loaded here.
"""

# ruff: noqa: ARG002 - the driver hands more to a backend than this one needs

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver._backend.models import Capabilities, CommandExecution, QueryExecution
from clickhouse_connect.driver._backendclient import SyncBackendClient
from clickhouse_connect.driver.exceptions import DatabaseError, NotSupportedError
from clickhouse_connect.driver.transform import NativeTransform

from sql.engine.free_sql import returns_rows
from sql.engine.statements import Statement
from sql.engine.wire import PROTOCOL, HolderGone, HolderRefused, WireBroken, connect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GREETING_SECONDS = 30.0  # that the other process may take for its first word: it may be busy
READONLY = "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)"


class OneAnswer:
    """The bytes of a result, as the driver takes them in."""

    last_message: bytes | None = None
    exception_tag: str | None = None

    def __init__(self, data: bytes) -> None:
        self.gen = iter([data])

    def close(self) -> None:
        """Nothing is open."""


class Borrowed:
    """A backend of the driver: statements in, what the engine of another process returns out."""

    capabilities = Capabilities(native_async=False, sessions=False)
    show_clickhouse_errors = True

    def __init__(self, folder: Path, zone: str) -> None:
        self._guard = threading.Lock()  # one statement at a time
        self.session: list[str] = []  # what was set and lasts for the next statements
        try:
            self._wire = connect(folder)
        except WireBroken as error:
            raise HolderGone(str(error)) from error
        try:
            with suppress(WireBroken):  # it may have refused already, which is heard next
                self._wire.send({"protocol": PROTOCOL, "zone": zone})
            answer = self._wire.receive(GREETING_SECONDS)
            if answer is None:
                raise WireBroken("no greeting")
        except WireBroken as error:
            self._wire.close()
            raise HolderGone(str(error)) from error
        if "refused" in answer.head:
            self._wire.close()
            raise HolderRefused(str(answer.head["refused"]))

    def run(self, text: str | bytes, values: Mapping[str, Any] | None) -> bytes:
        """What a statement returns. Raises HolderGone where nobody answers, DatabaseError where the engine refuses it."""
        statement = text.decode() if isinstance(text, bytes) else text
        with self._guard:
            try:
                self._wire.send({"statement": statement, "values": dict(values or {})})
                answer = self._wire.receive()
                if answer is None:
                    raise WireBroken("no answer")
            except WireBroken as error:
                raise HolderGone(str(error)) from error
        head = answer.head
        if "error" in head:
            raise DatabaseError(str(head["error"]), code=head.get("code"))
        self.session += [str(one) for one in head.get("session", [])]
        return answer.body

    def stop_statement(self) -> None:
        """Has the statement stopped that another thread is waiting for."""
        try:
            self._wire.send({"stop": True})
        except WireBroken:
            self._wire.hang_up()

    def execute_query(self, context: Any, runtime: Any, prepared: str | bytes, /) -> QueryExecution:
        """A SELECT, whose rows the driver reads."""
        text = prepared.decode() if isinstance(prepared, bytes) else prepared
        return QueryExecution(source=OneAnswer(self.run(f"{text}\n FORMAT Native", context.bind_params)))

    def execute_command(
        self,
        command: str | bytes,
        values: dict[str, str],
        data: Any,
        external: Any,
        runtime: Any,
        transport: Any,
        /,
    ) -> CommandExecution:
        """A statement of one value, or of none."""
        text = command.decode() if isinstance(command, bytes) else command
        if not returns_rows(text):
            return CommandExecution(self.run(text, values))
        return CommandExecution(self.run(f"{text}\n FORMAT TabSeparated", values), result_format="TabSeparated")

    def execute_raw_query(
        self,
        query: str | bytes,
        values: dict[str, str],
        external: Any,
        runtime: Any,
        transport: Any,
        /,
    ) -> bytes:
        """A statement in the format that it names."""
        return self.run(query, values)

    def execute_raw_stream(self, *arguments: Any) -> Any:
        """Nothing here reads a result piece by piece."""
        raise NotSupportedError("a result is read as a whole")

    def execute_data_insert(self, *arguments: Any) -> Any:
        """Refused as by the engine of a store that is only read."""
        raise DatabaseError(READONLY, code=164)

    def execute_raw_insert(self, *arguments: Any) -> Any:
        """Refused as by the engine of a store that is only read."""
        raise DatabaseError(READONLY, code=164)

    def ping(self, timeout: float | None = None) -> bool:
        """Whether somebody answers."""
        self.run(Statement("table_names").text, None)
        return True

    def close_connections(self) -> None:
        """There is one, which `close` closes."""

    def close(self) -> None:
        """Hangs up; what the other process is still running for this one is stopped there."""
        self._wire.hang_up()
        self._wire.close()

    def abandon(self) -> None:
        """Lets go of the connection in a process that was forked from the one it belongs to."""
        self._wire.close()


class BorrowedHandle(SyncBackendClient):  # type: ignore[misc]  # of a library without types
    """A handle of the driver for one thread at a time, on the engine of the process that has the store."""

    borrowed = True
    _backend: Borrowed

    def __init__(self, folder: Path, zone: str) -> None:
        self._transform = NativeTransform()
        self._initial_settings: dict[str, Any] = {}
        self._backend = Borrowed(folder, zone)
        try:
            super().__init__(
                database=None,
                query_limit=0,
                uri=f"chdb://{folder}",
                query_retries=0,
                server_host_name=None,
            )
        except BaseException:
            self._backend.close()
            raise

    @property
    def show_clickhouse_errors(self) -> bool:
        """Errors are told in full."""
        return self._backend.show_clickhouse_errors

    @property
    def session(self) -> list[str]:
        """What was set by statements and lasts for the next ones."""
        return self._backend.session

    def set_client_setting(self, key: str, value: Any) -> None:
        """Nothing can be set: the other process has given the handle the settings of all."""

    def get_client_setting(self, key: str) -> str | None:
        """None is known here."""
        return None

    def set_access_token(self, access_token: str) -> None:
        """There are no accounts."""

    def stop_statement(self) -> None:
        """Has the statement stopped that another thread is waiting for."""
        self._backend.stop_statement()

    def abandon(self) -> None:
        """Lets go of the connection in a process that was forked from the one it belongs to."""
        self._backend.abandon()
