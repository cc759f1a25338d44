"""One process at a time on an embedded store, and a refusal that names the process that holds it.

The engine itself refuses a second process with a message that says nothing of the reason, so our own lock comes first.
The operating system drops it with the process, however that ends: no lock is ever stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from sql.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from pathlib import Path


ACCOUNT = re.compile(r"://\S*@")  # user and password in a DSN


def acquire_lock(path: Path) -> int:
    """Locks `path` for this process and writes into it who holds it; returns the file descriptor to release later.

    Raises StoreBusy at once, naming the holder, where another process has it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the store's lock {path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 4096, 0)
        os.close(descriptor)
        raise StoreBusy(describe_holder(path, holder)) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(this_process()).encode(), 0)
    return descriptor


def release_lock(descriptor: int) -> None:
    """Gives the lock back; the file stays, so that two processes can never lock two different files."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


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
