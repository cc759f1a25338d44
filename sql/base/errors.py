"""Every error this project raises on purpose, each with a code that stays, and the exit code its command ends with.

A message is one sentence that names the value, the rule and the remedy; the command line prints it as it stands.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as that of typing, which would be imported before Ctrl-C is minded (sql/base/start.py)
if TYPE_CHECKING:
    from typing import ClassVar

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NOTHING_FOUND = 3
EXIT_SOME_FAILED = 4
EXIT_WORSE = 5  # an evaluation is significantly worse than the run it was compared with
EXIT_BUSY = 75  # EX_TEMPFAIL of sysexits.h: try again later
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def one_reason(error: BaseException) -> str:
    """The first line of what a library says, cut where it gets long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def to_run(command: str, store: object) -> str:
    """A command of ours on a store, to be copied from a message.

    >>> to_run("rag list", "my store")
    "`python -m rag list --db 'my store'`"
    """
    from shlex import quote  # which imports what takes time, and only a message needs it

    return f"`python -m {command} --db {quote(str(store))}`"


class RagError(Exception):
    """Something the user can understand and mend."""

    code: ClassVar[str] = "error"
    exit_code = EXIT_ERROR


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM; what ends at Ctrl-C ends so too."""


class UsageError(RagError):
    """The command was called in a way it does not offer."""

    code: ClassVar[str] = "usage"
    exit_code = EXIT_USAGE


class StoreBusy(RagError):
    """Another process holds the embedded store."""

    code: ClassVar[str] = "store-busy"
    exit_code = EXIT_BUSY


class StoreError(RagError):
    """The database refused a statement or could not be reached."""

    code: ClassVar[str] = "store"


class StoreUnreachable(StoreError):
    """The connection was refused or cut, or no answer came in time: whether the statement was carried out is not known."""

    code: ClassVar[str] = "store-unreachable"


class NoStore(StoreError):
    """There is nothing to read at the location: no folder, no database or no tables."""

    code: ClassVar[str] = "no-store"


class DatabaseMissing(NoStore):
    """The server answers and has no such database."""

    code: ClassVar[str] = "no-database"


class StoreReplaced(StoreError):
    """Another store has taken the place of the one that was opened, as re-embedding does it."""

    code: ClassVar[str] = "store-replaced"


class StoreMismatch(RagError):
    """The store was written by another model, quantizer or schema than the one in use."""

    code: ClassVar[str] = "store-mismatch"


class DocumentChanged(StoreError):
    """The file of a document is not the one that was stored."""

    code: ClassVar[str] = "document-changed"


class InvalidVector(RagError, ValueError):
    """A vector cannot be quantized, stored or searched with."""

    code: ClassVar[str] = "invalid-vector"


class InvalidMetadata(RagError, ValueError):
    """The metadata of a document cannot be stored."""

    code: ClassVar[str] = "invalid-metadata"


class InvalidFilter(UsageError, ValueError):
    """A filter cannot be applied: a name, an operator or a value it does not know."""

    code: ClassVar[str] = "invalid-filter"


class ModelError(RagError):
    """A model cannot be found, read or trusted."""

    code: ClassVar[str] = "model"


class UnreadableDocument(RagError):
    """One file cannot be turned into text; the run goes on without it."""

    code: ClassVar[str] = "unreadable-document"
