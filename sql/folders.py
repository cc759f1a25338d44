"""Whole store folders: exchanged in one step, and removed."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sql.errors import StoreError
from sql.lock import acquire_lock, release_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = -100  # AT_FDCWD: paths are relative to the working directory
REMOVED = "removed"  # what the data of a store is called while it is being removed
EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps every other process out of a store; StoreBusy where one is in it."""
    lock = acquire_lock(folder / "lock")
    try:
        yield
    finally:
        release_lock(lock)


def exchange_stores(one: Path, other: Path) -> None:
    """Lets two stores change places in one step of the file system; nobody can have either of them open meanwhile."""
    with locked(one), locked(other):
        exchange_folders(one / "data", other / "data")
        for folder in (one, other):
            flush_folder(folder)


def exchange_folders(one: Path, other: Path) -> None:
    """Lets two folders change names, both or neither; StoreError where the system cannot do that."""
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = library.renamex_np(first, second, EXCHANGE)
    elif hasattr(library, "renameat2"):
        failed = library.renameat2(HERE, first, HERE, second, EXCHANGE)
    else:
        failed = ctypes.set_errno(errno.ENOSYS) or 1
    if failed:
        raise StoreError(
            f"{one} and {other} cannot change places ({os.strerror(ctypes.get_errno())}): "
            "stop everything that uses the store and rename the folders by hand"
        )


def flush_folder(folder: Path) -> None:
    """The names in a folder are on disk when it returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_store(folder: Path) -> None:
    """Removes a store that nobody uses; it stops being one in a single step, before its files go."""
    with locked(folder):
        (folder / "data").rename(folder / REMOVED)
        flush_folder(folder)
        shutil.rmtree(folder)


def finish_removal(folder: Path) -> None:
    """Removes what a killed removal has left."""
    if (folder / REMOVED).exists():
        shutil.rmtree(folder)
