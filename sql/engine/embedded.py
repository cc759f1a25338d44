"""The embedded engine of this process: one store folder in, a ClickHouse (chDB) that runs on it out.

chDB runs one folder a process, may be used by one process at a time, and has to be kept from a few things: paths that it
cuts, time zones that it does not know, disks on which it cannot write, and processes that were forked from its own.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import re
import shutil
import sys
import tempfile
import threading
import zoneinfo
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sql.base.errors import StoreError
from sql.base.settings import given_time_zone, other_time_zone
from sql.engine.folders import DATA, LOCK, PAYLOAD_PREFIX, PAYLOADS, cannot_write, claim_folder, remove_payloads
from sql.engine.lock import NOT_WRITABLE, acquire_lock, release_lock
from sql.engine.wire import DESCRIPTORS, remove_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_CHANGES = itertools.count(0, 1 << 32)
# chDB ends a path at `?`, and takes `{a,b}` and `*` in the name of a file that it reads for a pattern.
PLAIN_PATH = re.compile(r"[\w/.@+=,~ -]{1,1000}")
MEMORY = "/dev/shm"  # noqa: S108 - for containers that have no other folder to write in
LOCAL_TIME = "/etc/localtime"  # a link to a file of the time zone database, where there is one
STATUS = "status"  # a file of the engine's, which it writes anew at every start


class Answers(Protocol):
    """What lets other processes read through the engine (`sql/engine/answering.py`)."""

    def close(self) -> bool:
        """Ends that; whether nothing of it is left in the engine."""

    def give_way(self) -> None:
        """Waits while a reader that has just come may need the processors."""

    def abandon(self) -> None:
        """Lets go of it in a process that was forked from the one it belongs to."""


@dataclass
class Engine:
    """The embedded engine of this process: chDB runs one folder at a time, which any number of clients may share.

    `writing` is held by the one thread that writes, through whichever client; `drafts` are the generations that threads
    have begun and not published. `shadow` is the private folder of an engine whose store cannot be written.
    """

    folder: Path
    lock: int
    place: str
    shadow: Path | None = None
    opened: int | None = None  # the descriptor behind a place below DESCRIPTORS
    clients: int = 0
    writing: threading.RLock = field(default_factory=threading.RLock)
    drafts: set[int] = field(default_factory=set)
    counting: threading.Lock = field(default_factory=threading.Lock)
    answers: Answers | None = None
    # Calls that may have written something, counted on from where no other engine of this process comes.
    changes: int = field(default_factory=lambda: next(FIRST_CHANGES))
    make_room: Callable[[], None] | None = (
        None  # by which its one client gives the folder to a writer of another process
    )

    @property
    def data(self) -> str:
        """What the engine is told to run on; the driver would resolve a place below DESCRIPTORS if it were not a URI."""
        return f"file:{self.place}/{DATA}" if self.opened is not None else f"{self.place}/{DATA}"

    def count_change(self) -> None:
        """Says that something may have been written."""
        with self.counting:
            self.changes += 1

    def new_payload(self) -> tuple[Any, str]:
        """A new file for the rows of an insert, open for writing, and its path as the engine is told it."""
        file = tempfile.NamedTemporaryFile(prefix=PAYLOAD_PREFIX, dir=self.folder / PAYLOADS)  # noqa: SIM115
        return file, f"{self.place}/{PAYLOADS}/{Path(file.name).name}"

    def room(self) -> Callable[[], None] | None:
        """What gives the folder to another process that wants to write; None where somebody here needs it."""
        return self.make_room if self.clients == 1 else None

    def stop(self) -> None:
        """Gives the folder back to other processes."""
        if self.answers is not None and not self.answers.close():
            return  # a statement cannot be stopped, and the engine is in the folder until the process ends
        if self.opened is not None:
            os.close(self.opened)
        if self.shadow is not None:
            shutil.rmtree(self.shadow, ignore_errors=True)
        release_lock(self.lock)


@dataclass
class EngineRegistry:
    """Which folder this process has open. Clients of one folder share the engine; another folder has to wait."""

    guard: threading.RLock = field(default_factory=threading.RLock)
    engine: Engine | None = None
    process: int | None = None  # that has run an engine: this one, or one it was forked from

    def join(self, folder: Path, *, write: bool) -> Engine:
        """The engine of `folder`, started where it is not running; StoreBusy where another process runs it."""
        self.refuse_forked()
        with self.guard:
            engine = self.engine
            if engine is not None and engine.folder != folder:
                raise StoreError(
                    f"this process has the store {engine.folder} open and chDB can open one store per process: "
                    f"close it before opening {folder}"
                )
            if engine is None:
                engine = start_engine(folder, write=write)
                self.engine, self.process = engine, os.getpid()
            elif write and engine.shadow is not None:
                raise StoreError(f"this process has {folder} open for reading only: close it before writing")
            engine.clients += 1
            return engine

    def leave(self, engine: Engine) -> None:
        """One client fewer; the last one gives the folder back to other processes."""
        with self.guard:
            engine.clients -= 1
            if engine.clients == 0 and self.engine is engine:
                self.engine = None
                engine.stop()

    def refuse_forked(self) -> None:
        """Raises StoreError in a process forked from one that has run an engine: chDB would wait for threads for ever."""
        if self.process not in {None, os.getpid()}:
            raise StoreError(
                f"this process was forked from process {self.process}, which has used an embedded store, and chDB would "
                'wait for ever in it: start processes by "spawn" (multiprocessing.get_context("spawn")), or open no '
                "store before the fork (gunicorn: without --preload)"
            )

    def forget_after_fork(self) -> None:
        """Lets go of what belongs to the process this one was forked from; run in the new process."""
        self.guard = threading.RLock()
        engine, self.engine = self.engine, None
        if engine is not None:
            os.close(engine.lock)  # the lock stays with the other process, and no longer than that one wants
            if engine.opened is not None:
                os.close(engine.opened)
            if engine.answers is not None:
                engine.answers.abandon()
        library = ctypes.CDLL(None)
        if self.process is not None and hasattr(library, "on_exit"):
            # Python ends as ever, with its own exit handlers, but for the engine's destructors: they would wait for
            # threads that did not come along.
            library.on_exit(library._exit, None)


def keep_for_ever(handle: object) -> None:
    """Keeps Python from ever destroying an object: that of an engine which belongs to another process would wait."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


def trim_heap() -> None:
    """Gives what Python and its libraries have freed back to the system, where the C library can be told to (glibc)."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


ENGINES = EngineRegistry()
os.register_at_fork(after_in_child=ENGINES.forget_after_fork)


# Starting


def start_engine(folder: Path, *, write: bool) -> Engine:
    """Takes the lock of a store and finds the engine a place to run.

    Raises StoreBusy where another process has the store, StoreError for a folder that is none or cannot be written, or
    whose path chDB would misread. Nothing is written before that is known.
    """
    plain = is_plain(folder)
    claim_folder(folder, create=write)
    lock = acquire_lock(folder / LOCK, answers=True)
    try:
        obstacle = what_hinders_writing(folder)
        if obstacle is None:
            remove_payloads(folder)
            remove_socket(folder)
        elif write:
            raise cannot_write(folder, obstacle) from obstacle
        shadow = None if obstacle is None else make_shadow(folder, obstacle)
        if shadow is not None:
            return Engine(folder, lock, shadow=shadow, **engine_place(shadow, plain=is_plain(shadow)))
        return Engine(folder, lock, **engine_place(folder, plain=plain))
    except BaseException:
        release_lock(lock)
        raise


def is_plain(folder: Path) -> bool:
    """Whether chDB takes the path as it is; StoreError where it does not and the system has no other path for it."""
    if PLAIN_PATH.fullmatch(str(folder)):
        return True
    if not Path(DESCRIPTORS).is_dir():
        raise StoreError(
            f"{folder} has characters in its path that chDB cannot read: give --db a folder whose whole path has letters, "
            "digits, spaces and ._-+=@,~ only"
        )
    return False


def engine_place(folder: Path, *, plain: bool) -> dict[str, Any]:
    """The path by which the engine is told of a folder, and the open descriptor that the path needs, if it does."""
    if plain:
        return {"place": str(folder)}
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return {"place": f"{DESCRIPTORS}/{opened}", "opened": opened}


def what_hinders_writing(folder: Path) -> OSError | None:
    """The error of the system where no file can be made in a store, None where one can; StoreError for a strange one."""
    try:
        for name in (PAYLOADS, DATA):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(prefix=PAYLOAD_PREFIX, dir=folder / name) as file:
                file.write(b"\0")
                file.flush()
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            return error
        raise cannot_write(folder, error) from error
    return None


# A store that cannot be written


def make_shadow(folder: Path, obstacle: OSError) -> Path | None:
    """A private folder for an engine that is to read a store without writing in it; None where the disk is full, and so
    are those for temporary files: then the engine may yet do without.

    It holds the folders of the engine's data, and for every file a symbolic link to it. The engine replaces files and
    never changes one, so what it does stays here.
    """
    failure = obstacle
    for place in temporary_folders():
        try:
            shadow = Path(tempfile.mkdtemp(prefix="int8-rag-", dir=place))
        except OSError as error:
            failure = error
            continue
        try:
            link_files((folder / DATA).resolve(), shadow / DATA)
        except OSError as error:
            failure = error
            shutil.rmtree(shadow, ignore_errors=True)
        else:
            return shadow
    if obstacle.errno in {errno.ENOSPC, errno.EDQUOT}:
        return None
    raise StoreError(
        f"{folder} cannot be written ({obstacle.strerror}), and to read it links to its files have to be made elsewhere, "
        f"which failed ({failure.strerror}): set TMPDIR to a folder with some room"
    )


def temporary_folders() -> Iterator[str]:
    """Where temporary files may go: the usual folder, and the memory of Linux."""
    with suppress(OSError):  # there is none where all of them are full
        yield tempfile.gettempdir()
    if Path(MEMORY).is_dir():
        yield MEMORY


def link_files(source: Path, target: Path) -> None:
    """Makes the folders of `source` again, with a symbolic link to every file; OSError for one that cannot be read."""

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(source, onerror=fail):
        here = target / Path(parent).relative_to(source)
        here.mkdir(mode=0o700)
        for name in folders:
            if (link := Path(parent, name)).is_symlink():
                (here / name).symlink_to(link.readlink())
        for name in files:
            if name != STATUS or here != target:
                (here / name).symlink_to(Path(parent, name))


# What chDB has to be given before it is loaded


IMPORTING = threading.Lock()


def import_engine() -> None:
    """Loads chDB, which reads TZ at that moment, once, and knows names such as Europe/Berlin only: in place of another
    form, which the rules of POSIX allow, it gets UTC. The process keeps its own TZ.
    """
    with IMPORTING:
        given = given_time_zone()
        if "chdb" in sys.modules or given is None or is_zone_name(given):
            import_module("chdb")
            return
        with other_time_zone("UTC"):
            import_module("chdb")


def engine_time_zone() -> str:
    """The time zone that the engine has, or would have, in this process; "" where the machine's has no name."""
    given = given_time_zone()
    if given is not None:
        return given.removeprefix(":") or "UTC" if is_zone_name(given) else "UTC"
    _, found, name = os.path.realpath(LOCAL_TIME).partition("/zoneinfo/")
    return name if found and is_zone_name(name) else ""


def is_zone_name(text: str) -> bool:
    """Whether TZ names a zone of the time zone database, which chDB has too.

    >>> is_zone_name("Europe/Berlin"), is_zone_name("CET-1CEST,M3.5.0,M10.5.0/3")
    (True, False)
    """
    name = text.removeprefix(":")
    if not name or name.startswith(("posix/", "right/")):
        return not name
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True
