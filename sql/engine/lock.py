"""One process at a time on an embedded store, and a refusal that names the process that holds it.

The engine itself refuses a second process with a message that says nothing of the reason, so our own lock comes first.
The operating system drops it with the process, however that ends: no lock is ever stale. To hold it nothing has to be
written: who holds it is noted where that is possible.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sys
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from sql.base.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from pathlib import Path


ACCOUNT = re.compile(r"://\S*@")  # user and password in a DSN
# A disk that is read-only or full, and a folder of another user: reading goes on without writing.
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}


def acquire_lock(path: Path, *, answers: bool = False) -> int:
    """Locks `path` for this process and writes into it who holds it; returns the file descriptor to release later.

    With `answers` it is noted that the process is going to answer readers (`sql/engine/answering.py`).

    Where the file cannot be opened for writing, the lock is shared with others to whom the same happens. Raises StoreBusy
    at once, naming the holder, where another process has it.
    """
    descriptor, alone = open_lock(path)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = read_holder(descriptor)
        os.close(descriptor)
        raise StoreBusy(describe_holder(path, holder)) from error
    if alone:
        note_holder(descriptor, answers=answers)
    return descriptor


def note_holder(descriptor: int, *, answers: bool) -> None:
    """Writes into a lock who holds it, and whether others can read through that process."""
    with suppress(OSError):  # a full disk: the lock holds without a name in it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(this_process() | {"answers": answers}).encode(), 0)


def holder_answers(path: Path) -> bool | None:
    """Whether the holder of a lock answers readers, or is going to; None where it is just opening or closing."""
    try:
        record = json.loads(path.read_bytes()[:4096])
        return bool(record.get("answers", False))
    except (OSError, ValueError, AttributeError):
        return None


def open_lock(path: Path) -> tuple[int, bool]:
    """A descriptor that can be locked, and whether it can be written too; StoreError where there is none to be had."""
    # A link in the place of the file would lead the writing astray.
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600), True
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise StoreError(f"the store's lock {path} cannot be opened: {error.strerror}") from error
    for place in (path, path.parent):  # a copy without a lock file: its folder can be locked as well
        with suppress(OSError):
            return os.open(place, os.O_RDONLY | flags), False
    raise StoreError(f"the store {path.parent} cannot be read by this user: give --db a store of your own")


def release_lock(descriptor: int) -> None:
    """Gives the lock back; the file stays, so that two processes can never lock two different files."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a forked process has a copy of the descriptor
    os.close(descriptor)


# Readers in other processes


def begin_reading(folder: Path) -> int | None:
    """Makes known that this process reads a store that another one has; the descriptor to end that with.

    None where the file system cannot do it; then it cannot tell the other process that nobody reads, either.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def end_reading(descriptor: int) -> None:
    """The other side of `begin_reading`."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a forked process has a copy of the descriptor
    os.close(descriptor)


def nobody_reads(folder: Path) -> bool:
    """Whether no process is between `begin_reading` and `end_reading`; who begins now sees the newest epoch."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def read_holder(descriptor: int) -> bytes:
    """What the holder has written; nothing where the folder itself is locked."""
    try:
        return os.pread(descriptor, 4096, 0)
    except OSError:
        return b""


def this_process() -> dict[str, str | int]:
    """What another process should be told about this one."""
    command = ACCOUNT.sub("://", " ".join(["python", *sys.orig_argv[1:]]))  # a lock is read by whoever finds it
    return {
        "pid": os.getpid(),
        "command": command[:500],
        "since": datetime.now().astimezone().isoformat("T", "seconds"),
    }


def describe_holder(path: Path, holder: bytes) -> str:
    """One sentence about the process that wrote `holder` into the lock file."""
    try:
        record = json.loads(holder)
        who = f"process {record['pid']} ({record['command']}) since {record['since']}"
    except (ValueError, KeyError, TypeError):
        who = "another process, which is just opening or closing it"
    return f"the store {path.parent} is in use by {who}: wait until it has ended, or use another --db"
