"""What the database driver raised in, a StoreError of one sentence with its remedy out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sql.base.errors import DatabaseMissing, StoreError, StoreUnreachable
from sql.engine.helper_thread import NoAnswerInTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sql.engine.location import Location, Server

CONSTRAINT_VIOLATED, NOT_ENOUGH_SPACE, READONLY, UNKNOWN_FUNCTION, OUTSIDE = 469, 243, 164, 46, 1000
UNSET_PARAMETER = 456
UNKNOWN_DATABASE, TOO_SLOW, TOO_MANY_QUERIES, MEMORY_LIMIT, ACCESS_DENIED, WRONG_PASSWORD = 81, 159, 202, 241, 497, 516
SHARD_IS_AWAY = {198, 209, 210, 279}  # DNS error, socket timeout, network error, all connection tries failed
# Of a statement that cannot be parsed: all words that the engine would have taken, and often cut off by it.
EXPECTED = re.compile(r" Expected one of: .*?(?= \([A-Z_]+\)\Z|\Z)", re.DOTALL)
# The driver writes `FORMAT name` behind a statement, which one that is not whole takes for a part of itself.
UNFINISHED = re.compile(r"\bFORMAT AS \w+|failed at position \d+ \((?:TabSeparated|JSON|CSV|Pretty|Native)\w*\) \(line")
LONGEST_MESSAGE = 500  # characters of the engine's own
UNREADABLE = "While reading or decompressing"  # a file of a table, whichever code damage has there
# ENOSPC and EDQUOT: where the engine meets them at a file, its code says only that the file cannot be opened or written.
NO_ROOM = re.compile(r"\berrno: (?:28|122)\b")
CODE_REMEDIES = {
    NOT_ENOUGH_SPACE: "the disk of the store is full: nothing was lost, free some space and run the command again",
    READONLY: "the store was opened read-only, which does not allow changing anything, or reading files and addresses with "
    "file(), url() and the like: add --write for that",
    CONSTRAINT_VIOLATED: "a row does not fit the table and nothing of the insert was stored",
    UNSET_PARAMETER: "a parameter has no value: a view takes all of its own, such as epoch = {epoch:UInt64} or k = 10",
    TOO_SLOW: "the statement took longer than it may: allow more with ?timeout=SECONDS at the end of --db",
    TOO_MANY_QUERIES: "the server is busy with other statements: try again",
    MEMORY_LIMIT: "the server has not enough memory for the statement",
    WRONG_PASSWORD: "the server does not accept the user and password in --db",
}
# Views that a store has only where they were asked for; the engine takes an unknown one for a table function.
WORD_VECTORS, DDL = "`python -m ingest --word-vectors` makes it", "`python -m rag ddl` prints the SQL that makes it"
OPTIONAL_VIEWS = {
    "rag_text_search": WORD_VECTORS,
    "text_search": WORD_VECTORS,
    "nearest_to_question": WORD_VECTORS,
    "question_vector": WORD_VECTORS,
    "rag_answer": DDL,
    "rag_search": DDL,
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


def explain_failure(what: str, location: Location, error: Exception) -> StoreError:
    """Our error, one sentence, for an error of the driver: with a remedy where we have one, else the engine's first line."""
    code = getattr(error, "code", None) or error_code(str(error))
    if code is None and location.server is not None and is_connection_trouble(error):
        return explain_connection(location, location.server, error)
    line = engine_message(error)
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
    if code == OUTSIDE and "Connection refused" in line:  # the engine does not say where
        return StoreError(
            f"{location}: nothing listens at an address that the statement asks: start the server there (`python -m rag serve`), "
            f"or name the right one (`python -m rag ddl --url`) ({line})"
        )
    if UNFINISHED.search(line):
        return StoreError(f"{location}: {what} failed: it ends where the engine expects more of it")
    if UNREADABLE in line:
        return StoreError(
            f"{location}: a file of the store is damaged: restore a backup, or ingest into a new store ({line})"
        )
    if code == UNKNOWN_FUNCTION and (view := unknown_view(line)) in OPTIONAL_VIEWS:
        return StoreError(f"{location}: there is no view {view} here: {OPTIONAL_VIEWS[view]} ({line})")
    if code in CODE_REMEDIES:
        return StoreError(f"{location}: {CODE_REMEDIES[code]} ({line})")
    return StoreError(f"{location}: {what} failed: {line}")


def engine_message(error: Exception) -> str:
    """The engine's message without what the driver writes around it.

    >>> engine_message(ValueError("Syntax error: failed at position 7 (1): 1. Expected one of: token, Dot, (, OFFSE"))
    'Syntax error: failed at position 7 (1): 1.'
    """
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    _, found, message = line.partition("server response: ")
    line = EXPECTED.sub("", message if found else line)
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + "…"


def unknown_view(line: str) -> str:
    """The name in `Unknown table function rag_answer`, which may be qualified or followed by guesses; empty without one."""
    found = re.search(r"Unknown table function (?:`?\w+`?\.)?`?(\w+)", line)
    return found[1] if found else ""


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
