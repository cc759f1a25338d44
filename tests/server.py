"""A real ClickHouse server on loopback out of the chdb wheel, with users of three ranks, and a proxy that breaks things.

As a program, `python server.py HOME HTTP_PORT TCP_PORT [SHARD_TCP_PORT ...]` serves until a line is written to the FIFO
HOME/stop. The engine starts once a process, so it must be the only use of chdb there. ON CLUSTER does not work in it; HTTP,
the native protocol, grants, profiles and Distributed tables do, and so do users, roles and row policies that are made by
statements, once `writable_access.py` has been at it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = "PYTEST_DEBUG_TEMPROOT"  # the variable by which pytest is told where the files of tests are
PASSWORD = "pass/wo:rd@ü"  # noqa: S105  # every character that a DSN has to encode
DATABASES = "rag"  # every database of a test begins with it; the grants name the prefix
TABLES = ("collection", "manifest", "chunks", "texts", "lease", "commits")
GRANTS = {
    "maintainer": [
        "SELECT, INSERT, ALTER, CREATE DATABASE, DROP DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, "
        f"OPTIMIZE ON {DATABASES}*.*",
        "SELECT ON system.parts",
        f"BACKUP ON {DATABASES}*.*",
        "READ, WRITE ON DISK",
        "CREATE FUNCTION, DROP FUNCTION ON *.*",
        f"CREATE DICTIONARY, DROP DICTIONARY, dictGet ON {DATABASES}*.*",
        "NAMED COLLECTION ADMIN ON *",
        f"SYSTEM VIEWS ON {DATABASES}*.*",
        "TABLE ENGINE ON MergeTree",
        "TABLE ENGINE ON ReplicatedMergeTree",
        "TABLE ENGINE ON Distributed",
        "SELECT ON system.clusters",
        "REMOTE ON *.*",
    ],
    "writer": [f"SELECT, INSERT ON {DATABASES}*.*", "SELECT ON system.clusters"],
    "reader": [f"SELECT, dictGet ON {DATABASES}*.*"],
    "admin": [f"SELECT ON {DATABASES}*.*", "SELECT ON system.*", "SHOW ACCESS ON *.*"],
    "guard": ["CREATE ROLE ON *.*", "CREATE ROW POLICY, DROP ROW POLICY ON *.*"],
    "root": ["ALL ON *.* WITH GRANT OPTION"],
}
# Users whom row policies hold for, with the roles that they have, and what a role has of other roles.
MEMBERS = {"anna": ["hr"], "ben": ["hr", "legal"], "carol": [], "dora": ["heads"]}
ROLES = {"hr": [], "legal": [], "research": [], "heads": ["legal", "research"]}
ALL_DOCUMENTS = "rag_all_documents"
NETWORK = "<networks><ip>127.0.0.1</ip><ip>::1</ip></networks><quota>default</quota>"
USER = "<{name}><password>{password}</password>{network}<profile>{profile}</profile><grants>{grants}</grants></{name}>"
# The engine's own session runs as `default`, which has to exist and to have no password.
USERS = """<clickhouse><profiles><default/>
<reader><readonly>1</readonly><distributed_product_mode>local</distributed_product_mode></reader></profiles><quotas><default/></quotas><roles>{roles}</roles><users>
<default><password></password>{network}<profile>default</profile></default>
{users}
</users></clickhouse>"""
CONFIG = """<clickhouse>
<path>{home}/data/</path><listen_host>127.0.0.1</listen_host><http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
<user_directories><users_xml><path>users.xml</path></users_xml></user_directories>
{keeper}<macros><shard>{tcp}</shard><replica>a</replica></macros>
<remote_servers><two><secret>between nodes</secret>{shards}</two></remote_servers>
<distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>
<storage_configuration><disks><backups><type>local</type><path>{home}/backups/</path></backups></disks></storage_configuration>
<backups><allowed_disk>backups</allowed_disk></backups>
<logger><level>warning</level><console>1</console></logger>
</clickhouse>"""
KEEPER = "<zookeeper><node><host>{host}</host><port>{port}</port></node></zookeeper>"
SHARD = """<shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"""


# The program


def granted(grants: list[str]) -> str:
    """Grants as a file of users has them."""
    return "".join(f"<query>GRANT {grant}</query>" for grant in grants)


def open_access(home: Path, http: int) -> None:
    """Lets the engine take users, roles and policies as soon as it serves, and says so in HOME/access; ends it if it cannot."""
    from writable_access import make_access_writable

    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", http)):
            break
        time.sleep(0.01)
    try:
        make_access_writable()
    except Exception:
        traceback.print_exc()
        os._exit(1)
    (home / "access").touch()


def serve(home: Path, http: int, tcp: int, shards: list[int]) -> None:
    """Runs the server in this process until it is told to stop; SERVER_KEEPER is host:port, or empty for none."""
    import chdb._chdb as engine  # before config.xml is there: importing it reads one in the working directory

    os.chdir(home)
    members = json.loads(os.environ.get("SERVER_MEMBERS", "{}")) or MEMBERS
    accounts = GRANTS | {name: [*GRANTS["reader"], *roles] for name, roles in members.items()}
    users = "\n".join(
        USER.format(
            name=name,
            password=PASSWORD,
            network=NETWORK,
            profile="default" if name in {"maintainer", "writer", "admin", "guard", "root"} else "reader",
            grants=granted(grants),
        )
        for name, grants in accounts.items()
    )
    roles = "".join(f"<{name}><grants>{granted(others)}</grants></{name}>" for name, others in ROLES.items())
    Path("users.xml").write_text(USERS.format(users=users, roles=roles, network=NETWORK))
    replicas = "".join(SHARD.format(port=port) for port in shards or [tcp])
    host, _, port = os.environ.get("SERVER_KEEPER", "").partition(":")
    coordination = KEEPER.format(host=host, port=port) if port else ""
    Path("config.xml").write_text(CONFIG.format(home=home, http=http, tcp=tcp, shards=replicas, keeper=coordination))
    threading.Thread(target=open_access, args=(home, http), daemon=True).start()
    engine.query(
        f"SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT * FROM file('{home}/stop', 'LineAsString')",
        "TabSeparated",  # also becomes the default format of the HTTP interface, which clients rely on
        path=f"{home}/data",
    )


# Its keeper


def free_port() -> int:
    """A port nobody listens on, below those that the system hands out to clients."""
    while True:
        port = 10_000 + int.from_bytes(os.urandom(2), "little") % 20_000
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass
class Server:
    """One server process and its folder; it can be killed and started again."""

    home: Path
    http: int = field(default_factory=free_port)
    tcp: int = field(default_factory=free_port)
    shards: list[int] = field(default_factory=list)
    keeper: str = ""
    process: subprocess.Popen[bytes] | None = None
    members: dict[str, list[str]] = field(default_factory=dict)  # other than MEMBERS
    _databases: int = 0

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "data").mkdir(exist_ok=True)
        for name in ("config.xml", "access"):
            (self.home / name).unlink(missing_ok=True)
        if not (self.home / "stop").exists():
            os.mkfifo(self.home / "stop")
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(Path(__file__).resolve()),
                    str(self.home),
                    *map(str, (self.http, self.tcp, *self.shards)),
                ],
                cwd=self.home,
                env=os.environ | {"SERVER_KEEPER": self.keeper, "SERVER_MEMBERS": json.dumps(self.members)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 300
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log()}")
            time.sleep(0.02)
        self.ask(f"CREATE ROLE {ALL_DOCUMENTS}", user="root")
        self.ask(f"GRANT {ALL_DOCUMENTS} TO maintainer, writer, admin", user="root")

    def answers(self) -> bool:
        """Whether it takes statements."""
        try:
            return (self.home / "access").exists() and self.ask("SELECT 1") == "1"
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def ask(self, sql: str, database: str = "system", user: str = "maintainer") -> str:
        """What a statement prints, without our client."""
        return self.ask_bytes(sql, database=database, user=user).decode("utf-8", "backslashreplace").strip()

    def ask_bytes(self, sql: str, user: str = "maintainer", **parameters: str) -> bytes:
        """The same as it comes, with any parameter of the HTTP interface."""
        request = urllib.request.Request(  # loopback
            f"http://127.0.0.1:{self.http}/?{urllib.parse.urlencode(parameters)}",
            data=sql.encode(),
            # Header values are latin-1 for urllib; the server reads UTF-8.
            headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": PASSWORD.encode().decode("latin-1")},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as response:  # noqa: S310
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def log(self) -> str:
        """The end of what the server said."""
        return (self.home / "log").read_text(errors="replace")[-4000:]

    def new_database(self) -> str:
        """A fresh database; the name of no other one begins with it."""
        self._databases += 1
        name = f"{DATABASES}_{os.getpid()}_{self._databases}"
        self.ask(f"CREATE DATABASE {name}")
        return name

    def guarded_database(self) -> str:
        """A fresh database in which row policies hold for everybody but those with the role for all documents."""
        name = self.new_database()
        self.guard(self.dsn(name))
        return name

    def guard(self, dsn: str) -> None:
        """Runs what `int8-rag acl --print-sql` prints for a store, with the rights that docs/access.md asks for."""
        from sql.engine.location import parse_location
        from sql.store.groups import policy_script

        for statement in policy_script(parse_location(dsn)).split(";\n"):
            self.ask(statement.removesuffix(";"), user="guard")

    def drop_databases(self) -> None:
        """Lets go of every database of a test: the engine looks through all its tables again and again."""
        for name in self.ask(f"SELECT name FROM system.databases WHERE startsWith(name, '{DATABASES}')").split():
            self.ask(f"DROP DATABASE {name}")

    def dsn(self, database: str, user: str = "maintainer", port: int | None = None, **options: object) -> str:
        """The location of a store on this server."""
        password = urllib.parse.quote(PASSWORD, safe="")
        query = f"?{urllib.parse.urlencode(options)}" if options else ""
        return f"clickhouse://{user}:{password}@127.0.0.1:{port or self.http}/{database}{query}"

    def kill(self) -> None:
        """Ends it at once, as a crash or the system would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ends it in order, or by its process id where it does not listen."""
        if self.process is None or self.process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self.home / "stop", os.O_WRONLY | os.O_NONBLOCK)
            os.write(descriptor, b"stop\n")
            os.close(descriptor)
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def running_server(members: dict[str, list[str]] | None = None) -> Iterator[Server]:
    """A server for as long as the block lasts. Its folder is kept where the block fails, for its log."""
    home = Path(tempfile.mkdtemp(prefix="int8-rag-server-", dir=os.environ.get(FILES)))
    server = Server(home, members=members or {})
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def running_shards(count: int = 2, keeper: str = "") -> Iterator[list[Server]]:
    """Servers that know each other as the shards of the cluster `two`, and one Keeper, host:port, if it is given."""
    home = Path(tempfile.mkdtemp(prefix="int8-rag-shards-", dir=os.environ.get(FILES)))
    servers = [Server(home / str(number), keeper=keeper) for number in range(count)]
    for server in servers:
        server.shards = [other.tcp for other in servers]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


# The proxy


@dataclass
class Fault:
    """What happens to a connection. `None` never happens."""

    cut_request_after: int | None = None  # bytes from the client, then both sides are cut off
    cut_response_after: int | None = None  # bytes from the server, likewise
    only_if: bytes = b""  # the fault strikes a connection whose first bytes hold this
    times: int = 1_000_000
    swallow: bool = False  # takes everything and never answers
    trickle: float | None = None  # seconds between the bytes of an answer
    struck: int = 0


class Proxy:
    """A TCP proxy on loopback before a server's HTTP port, with a fault to be chosen at any time."""

    def __init__(self, target: int, certificate: tuple[Path, Path] | None = None) -> None:
        self.target = target
        self.fault = Fault()
        self.connections = 0
        self._certificate = certificate
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self.refuse()
        self.cut_all()

    def refuse(self) -> None:
        """Takes no connection any more: the next one is refused."""
        self._closed = True
        self._listener.close()

    def cut_all(self) -> None:
        """Ends every connection that is open."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        context: Any = None
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
        while not self._closed:
            try:
                ready = readable([self._listener], 0.05)
                if not ready:
                    continue
                client, _ = self._listener.accept()
            except (OSError, ValueError):
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client, context), daemon=True).start()

    def _serve(self, client: socket.socket, context: ssl.SSLContext | None) -> None:
        try:
            if context is not None:
                client = context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        pair = {client, server}
        self._sockets |= pair
        try:
            self._relay(client, server)
        except OSError:
            pass
        finally:
            self._sockets -= pair
            client.close()
            server.close()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        """Carries bytes both ways until one side ends or the fault strikes."""
        request = response = 0
        seen = b""  # of the request that is on its way
        while True:
            pending = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if pending else readable([client, server], 1)
            fault = self.fault
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                if one is client:
                    if response:
                        request, response, seen = 0, 0, b""
                    seen = (seen + data)[:200_000]
                    request += len(data)
                else:
                    response += len(data)
                strikes = fault.struck < fault.times and fault.only_if in seen
                if one is client:
                    if strikes and fault.swallow:
                        continue
                    if strikes and fault.cut_request_after is not None and request > fault.cut_request_after:
                        fault.struck += 1
                        server.sendall(data[: max(0, len(data) - (request - fault.cut_request_after))])
                        return
                    server.sendall(data)
                    continue
                if strikes and fault.cut_response_after is not None and response > fault.cut_response_after:
                    fault.struck += 1
                    client.sendall(data[: max(0, len(data) - (response - fault.cut_response_after))])
                    return
                if strikes and fault.trickle is not None:
                    for byte in data:
                        client.sendall(bytes([byte]))
                        time.sleep(fault.trickle)
                    continue
                client.sendall(data)


def readable(sockets: list[socket.socket], timeout: float) -> list[socket.socket]:
    """Those that have something to read; unlike `select.select` whatever their numbers are."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        ready = {key.fd for key, _ in selector.select(timeout)}
    return [one for one in sockets if one.fileno() in ready]


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), [int(port) for port in sys.argv[4:]])
