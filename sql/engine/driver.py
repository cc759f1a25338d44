"""The one door to the database driver: connections to a ClickHouse in this process (chDB) or to a server, and blocks of rows."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sql.engine.embedded import import_engine
from sql.engine.helper_thread import HELPERS
from sql.engine.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sql.engine.embedded import Engine
    from sql.engine.location import Server

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
CLUSTER_SETTINGS: dict[str, int | str] = {
    "distributed_foreground_insert": 1,  # an insert has arrived on every shard when it returns
    "distributed_product_mode": "local",  # a document's manifest rows lie beside its chunks: each shard looks at its own
}
REPLICA_SETTINGS: dict[str, int | str] = {
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}
EMBEDDED_SECONDS = 3600.0  # that one statement of the embedded engine may take: far more than any of ours
ENGINE_SETTINGS = SESSION_SETTINGS | {
    "max_execution_time": int(EMBEDDED_SECONDS),
    # Of executions, after 3 by default. Compiling takes 50 ms of processor time for each aggregation, and again whenever
    # the engine is started; compiled, one over three million rows is at most 40 ms shorter.
    "min_count_to_compile_aggregate_expression": 10_000,
}
PATH_PLACE = "/* path */"  # in the statement that reads a file


def connect_to_engine(
    engine: Engine, *, read_only: bool, settings: Mapping[str, int | str] = MappingProxyType({})
) -> Any:
    """A handle for one thread at a time on the engine of this process, with `settings` besides the ones of all."""
    import_engine()
    import clickhouse_connect

    handle = clickhouse_connect.get_client(interface="chdb", path=engine.data, settings={**ENGINE_SETTINGS, **settings})
    if engine.shadow is not None:
        handle.command(Statement("stop_merges").text)
    if read_only:
        handle.command("SET readonly = 1")  # last: afterwards no setting can be changed any more
    return handle


def run_bound(handle: Any, text: str, values: Mapping[str, str]) -> bytes:
    """What a statement returns on the engine of this process, whose values another driver has bound already."""
    from clickhouse_connect.driver._backend.models import QueryRuntime

    return bytes(handle._backend.execute_raw_query(text, dict(values), None, QueryRuntime(), None))


def settle(handle: Any) -> bool:
    """Makes a handle on the engine of this process usable after a statement that failed; False where it cannot be.

    What the engine had put out of a result before it failed stays in the connection, and chDB 4.4 puts it before the next
    result. What is set on the connection stays too, which a new one would not have.
    """
    for _ in range(3):
        with suppress(Exception):
            if bytes(handle.raw_query(Statement("settled").text, fmt="TSV")) == b"1\n":
                return True
    return False


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


def compressed(block: bytes, method: str | None) -> tuple[bytes, str | None]:
    """The body of an insert as a connection wants it, and how it was made smaller."""
    from clickhouse_connect.driver.compression import get_compressor

    if method is None:
        return block, None
    compressor = get_compressor(method)
    return compressor.compress_block(block) + (compressor.flush() or b""), method
