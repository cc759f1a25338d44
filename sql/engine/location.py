"""The text of `--db` or RAG_DB in, where the store lives out: a folder, or a server with everything needed to reach it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, unquote_to_bytes, urlsplit

from sql.base.errors import NoStore, StoreError, UsageError, to_run
from sql.base.paths import expand_user

SERVER_SCHEMES = {  # scheme: TLS, dialect
    "clickhouse": (False, "clickhouse"),
    "clickhouses": (True, "clickhouse"),
    "http": (False, "clickhouse"),
    "https": (True, "clickhouse"),
    "myscale": (False, "myscale"),
    "myscales": (True, "myscale"),
}
SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*")  # other text before :// is the beginning of a path
DIALECTS = ("clickhouse", "myscale")
SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
MAX_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached. `timeout` bounds every call as a whole, in seconds, whatever the server does."""

    hosts: tuple[tuple[str, int], ...]  # several for a cluster, each with its HTTP port; statements go to the first
    database: str
    username: str
    password: str = field(repr=False)
    secure: bool = False
    verify: bool = True
    ca_cert: str = ""
    client_cert: str = ""
    client_cert_key: str = ""
    connect_timeout: float = 5.0
    timeout: float = 60.0
    cluster: str = ""
    replicated: bool = False
    dialect: str = "clickhouse"

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "timeout"):
            if not 0 < getattr(self, name) <= MAX_SECONDS:
                raise UsageError(f"--db ...?{name}= is a number of seconds, more than 0 and at most {MAX_SECONDS:.0f}")
        if self.dialect not in DIALECTS:
            raise UsageError(f"--db ...?dialect= is one of {', '.join(DIALECTS)}")
        if self.replicated and not self.cluster:
            raise UsageError("--db ...?replicated=1 needs ?cluster=NAME as well: replicas belong to a cluster")
        if self.cluster and self.dialect == "myscale":
            raise UsageError("--db ...?cluster= is for ClickHouse: a MyScale store is one server")

    @property
    def variant(self) -> str:
        """The folder below `sql/` with the statements that differ for it; empty for a plain ClickHouse."""
        if self.cluster:
            return "cluster"
        return "" if self.dialect == "clickhouse" else self.dialect

    def at(self, host: str, port: int) -> Server:
        """The same account on another node."""
        return replace(self, hosts=((host, port),))


OPTIONS = {option.name: option for option in fields(Server) if option.name not in {"hosts", "username", "password"}}
# What stands elsewhere in a DSN has no option of its own.
OPTION_NAMES = tuple(name for name in OPTIONS if name not in {"database", "secure"})


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store lives: a folder (embedded) or a server. The text may hold a password and is never shown."""

    text: str = field(repr=False)
    folder: Path | None
    server: Server | None = None

    @property
    def may_hold_store(self) -> bool:
        """Whether there is anything to open: a folder with an engine's data, or a server, which has to be asked.

        StoreError where that cannot be seen, as in the folder of another user.
        """
        try:
            return self.folder is None or (self.folder / "data").is_dir()
        except OSError as error:
            raise StoreError(
                f"the store {self.folder} cannot be reached ({error.strerror}): give --db a folder that this user can read"
            ) from error

    @property
    def real_folder(self) -> Path | None:
        """The folder without symbolic links, None of a server; StoreError for links that lead round in a circle."""
        try:
            return self.folder and self.folder.resolve()
        except (OSError, RuntimeError) as error:
            raise StoreError(f"{self.folder} cannot be found ({error}): give --db the path of a folder") from error

    def require_store(self) -> None:
        """Raises NoStore where a reader would find nothing, and StoreError for a file."""
        if not self.may_hold_store:
            if self.folder is not None and self.folder.is_file():
                raise StoreError(f"{self} is a file and no store: give --db the path of a folder")
            raise NoStore(f"there is no store at {self}: make one with {to_run('ingest FOLDER', self)}")

    def require_policies(self) -> Server:
        """The server of a store whose documents can have groups; UsageError for one in the embedded engine."""
        if self.server is None:
            raise UsageError(
                f"{self}: the embedded engine (chDB) has no row policies, so nothing there would keep a reader from a "
                "document: documents have groups in a store on a ClickHouse server, --db clickhouse://..."
            )
        return self.server

    def __str__(self) -> str:
        """The location without its user, password and options."""
        if self.server is None:
            return self.text
        hosts = ",".join(f"{bracketed(host)}:{port}" for host, port in self.server.hosts)
        return f"{self.text.partition('://')[0]}://{hosts}/{self.server.database}"


def parse_location(text: str) -> Location:
    """A folder, `chdb:///folder`, or `clickhouse://user:password@host:port/database` (`clickhouses://` for TLS)."""
    scheme, separator, rest = text.partition("://")
    if not separator or not SCHEME.fullmatch(scheme):
        _refuse_half_a_scheme(text)
        return Location(text, checked_path(text, expand_user(text, "--db")))
    if scheme == "chdb":
        return Location(text, checked_path(text, Path(os.fsdecode(unquote_to_bytes(os.fsencode(rest))))))
    if scheme in SERVER_SCHEMES:
        try:
            return Location(text, None, parse_server(text))
        except ValueError as error:
            raise UsageError(
                # not the parser's own words: they may hold a part of the password
                f"--db {scheme}://... cannot be read: write {scheme}://user:password@host:port/database, "
                "with percent-encoding for special characters in the password"
            ) from error
    known = ", ".join(f"{name}://" for name in ("chdb", *SERVER_SCHEMES))
    raise UsageError(f"--db {scheme}://... is not known: give a folder or one of {known}")


def _refuse_half_a_scheme(text: str) -> None:
    """UsageError for `clickhouse:/...`: it would be a new folder of that name, a password in it included."""
    scheme, colon, _ = text.partition(":")
    if colon and scheme.lower() in ("chdb", *SERVER_SCHEMES):
        raise UsageError(
            f"--db {scheme}:... lacks the // behind {scheme}: write {scheme.lower()}://..., "
            f"or ./{scheme}:... for a folder of that name"
        )


def checked_path(text: str, path: Path) -> Path:
    """The path itself; UsageError for what cannot be the path of a folder."""
    if not text.partition("://")[2] and not text:
        raise UsageError("--db is empty: give it the path of a folder, or the DSN of a server")
    if "\0" in str(path):
        raise UsageError("--db has a NUL character in it, which no path can have")
    return path


def parse_server(dsn: str) -> Server:
    """The server of a DSN; a percent-encoded user, password or database is decoded. ValueError where it has no such form.

    Several hosts, divided by commas, are the nodes of a cluster.
    """
    parts = urlsplit(dsn)
    secure, dialect = SERVER_SCHEMES[parts.scheme]
    account, _, places = parts.netloc.rpartition("@")
    username, _, password = account.partition(":")
    default_port = 8443 if secure else 8123
    hosts = tuple(parse_host(place, default_port) for place in (places or "127.0.0.1").split(","))
    options = {"dialect": dialect} | parse_options(parts.query)
    return Server(
        hosts=hosts,
        database=unquote(parts.path.strip("/")) or "default",
        username=unquote(username) or "default",
        password=unquote(password),
        secure=secure,
        **options,  # type: ignore[arg-type]  # each was read as the type of its field
    )


def parse_host(place: str, default_port: int) -> tuple[str, int]:
    """A host and its port, from `host`, `host:port`, `[::1]` or `[::1]:port`."""
    parts = urlsplit(f"//{place}")
    if not parts.hostname or "/" in place:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or default_port


def bracketed(host: str) -> str:
    """An IPv6 address in brackets, other hosts as they are."""
    return f"[{host}]" if ":" in host else host


def parse_options(query: str) -> dict[str, str | bool | float]:
    """The options behind the question mark, each with the type of its field; UsageError for one that is not known."""
    given: dict[str, str | bool | float] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)):
        if name not in OPTION_NAMES:
            raise UsageError(f"--db ...?{name}= is not known: the options are {', '.join(OPTION_NAMES)}")
        if name in given:
            raise UsageError(f"--db ...?{name}= is given twice")
        given[name] = parse_option(name, value)
    return given


def parse_option(name: str, value: str) -> str | bool | float:
    """One option's value."""
    kind = OPTIONS[name].type
    if kind == "bool":
        if value.lower() not in SWITCHES:
            raise UsageError(f"--db ...?{name}={value} is neither 1 nor 0")
        return SWITCHES[value.lower()]
    if kind == "float":
        try:
            return float(value)
        except ValueError as error:
            raise UsageError(f"--db ...?{name}={value} is not a number of seconds") from error
    if name in {"ca_cert", "client_cert", "client_cert_key"} and not expand_user(value, f"--db ...?{name}=").is_file():
        raise UsageError(f"--db ...?{name}={value}: there is no such file")
    return value
