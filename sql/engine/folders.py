"""Whole store folders: recognized, begun, exchanged and removed. Nothing is touched that this program did not write."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sql.base.errors import NoStore, StoreError, StoreMismatch, to_run
from sql.engine.lock import acquire_lock, release_lock
from sql.engine.wire import SOCKET, remove_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = -100  # AT_FDCWD: paths are relative to the working directory
EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
MARKER = "int8-rag-store"  # a file that makes a folder a store; the first thing that is written
MARKER_FORMAT, MARKER_VERSION = "int8-rag store", 1
UNFINISHED = "int8-rag-unfinished"  # a file in a folder that gets its name when it is complete
LOCK, DATA, PAYLOADS = "lock", "data", "tmp"
REMOVED = "removed"  # what the data of a store is called while it is being removed
OWN_NAMES = {MARKER, LOCK, DATA, PAYLOADS, REMOVED, SOCKET}
PAYLOAD_PREFIX = "insert-"
# The rows of an insert on their way: ours, and as the driver named them for older versions of this program.
PAYLOAD = re.compile(rf"{PAYLOAD_PREFIX}\S+|tmp[a-z0-9_]{{8}}\.(native|raw)")
REMEDIES = {
    errno.EROFS: "lies on a read-only disk, where it can only be asked: give --db a folder on another disk",
    errno.EACCES: "cannot be written by this user: run the command as its owner, or give another --db",
    errno.EPERM: "cannot be written by this user: run the command as its owner, or give another --db",
    errno.ENOSPC: "lies on a disk without room for another file: nothing was lost, free some space (or inodes, see "
    "`df -i`) and run the command again",
    errno.EDQUOT: "lies on a disk whose quota is used up: nothing was lost, free some space and run the command again",
    errno.ENAMETOOLONG: "has a path that is too long for this system: give --db a shorter one",
    errno.ENOTDIR: "lies below a file: give --db the path of a folder",
}


# What makes a folder a store


def claim_folder(folder: Path, *, create: bool) -> None:
    """Makes sure that a folder is a store; a new or empty one becomes one where `create` says so.

    Raises StoreError for any other folder, which is left as it is, NoStore for a new one that is not to be made, and
    StoreMismatch for the store of a newer version.
    """
    names = folder_names(folder)
    if MARKER in names:
        check_marker(folder / MARKER)
        return
    if names and not is_older_store(folder, names):
        foreign = sorted(names, key=lambda name: (name.startswith("."), name))[0]
        raise StoreError(f"{folder} is not a store, it holds {foreign}: give --db a new or an empty folder")
    if not names and not create:
        raise NoStore(f"there is no store at {folder}: make one with {to_run('ingest FOLDER', folder)}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_marker(folder)
    except OSError as error:
        if not names:
            raise cannot_write(folder, error) from error


def folder_names(folder: Path) -> set[str]:
    """The names in a folder, none of one that is not there; StoreError for anything but a folder."""
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
    except NotADirectoryError as error:
        if folder.is_file():
            raise StoreError(f"{folder} is a file: give --db the path of a folder") from error
        raise cannot_write(folder, error) from error
    except OSError as error:
        if error.errno == errno.EACCES:
            raise StoreError(f"{folder} cannot be read by this user: give --db a store of your own") from error
        raise cannot_write(folder, error) from error


def cannot_write(folder: Path, error: OSError) -> StoreError:
    """One sentence about a folder in which nothing can be written."""
    remedy = REMEDIES.get(error.errno or 0, f"cannot be written ({error.strerror}): give --db another folder")
    return StoreError(f"the store {folder} {remedy}")


def write_marker(folder: Path) -> None:
    """Writes the file that makes a folder a store, unless it is there."""
    with suppress(FileExistsError), (folder / MARKER).open("x", encoding="utf-8") as file:
        json.dump({"format": MARKER_FORMAT, "version": MARKER_VERSION}, file)


def check_marker(path: Path) -> None:
    """Raises StoreError where a file of the marker's name is none, StoreMismatch where a newer version has written it."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError("not a file")
        text = path.read_text(encoding="utf-8")
        # A process that was killed, or a full disk, leaves an empty one, of which the name is enough.
        record: dict[str, Any] = json.loads(text) if text else {"format": MARKER_FORMAT, "version": MARKER_VERSION}
        known, version = record["format"] == MARKER_FORMAT, int(record["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not what marks a store: give --db a new or an empty folder") from error
    if not known:
        raise StoreError(f"{path} is not what marks a store: give --db a new or an empty folder")
    if version > MARKER_VERSION:
        raise StoreMismatch(f"the store {path.parent} was made by a newer int8-rag: install that version")


def is_older_store(folder: Path, names: set[str]) -> bool:
    """Whether a version without the marker has made the folder: its lock beside an engine's data, nothing else in sight."""
    visible = {name for name in names if not name.startswith(".")}
    has_lock = LOCK in names and stat.S_ISREG((folder / LOCK).lstat().st_mode)
    return has_lock and visible <= OWN_NAMES and (holds_engine(folder / DATA) or holds_engine(folder / REMOVED))


def holds_engine(data: Path) -> bool:
    """Whether a folder is laid out as the engine lays out its own."""
    return all((data / name).is_dir() for name in ("data", "metadata", "store"))


# Two stores, and none


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps every other process out of a store; StoreBusy where one is in it."""
    lock = acquire_lock(folder / LOCK)
    try:
        yield
    finally:
        release_lock(lock)


def exchange_stores(one: Path, other: Path) -> None:
    """Lets two stores change places in one step of the file system; nobody can have either of them open meanwhile."""
    with locked(one), locked(other):
        exchange_folders(one / DATA, other / DATA)
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
            f"{one} and {other} cannot be swapped ({os.strerror(ctypes.get_errno())}): "
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
    """Removes a store that nobody uses; it stops being one in a single step, before its files go.

    What somebody else has put into the folder stays there, and the folder with it.
    """
    claim_folder(folder, create=False)
    with locked(folder):
        (folder / DATA).rename(folder / REMOVED)
        flush_folder(folder)
        remove_rest(folder)


def finish_removal(folder: Path) -> None:
    """Removes what a killed removal has left."""
    if not (folder / REMOVED).is_dir():
        return
    claim_folder(folder, create=False)
    with locked(folder):
        remove_rest(folder)


def remove_rest(folder: Path) -> None:
    """Removes the files of a store whose data has another name already, and the folder if nothing else is in it."""
    shutil.rmtree(folder / REMOVED)
    remove_payloads(folder)
    with suppress(OSError):
        (folder / PAYLOADS).rmdir()
    remove_socket(folder)
    (folder / LOCK).unlink(missing_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def remove_payloads(folder: Path) -> None:
    """Removes the rows of inserts that were killed on their way; to be called by the holder of the lock."""
    payloads = folder / PAYLOADS
    for name in os.listdir(payloads) if payloads.is_dir() else ():
        if PAYLOAD.fullmatch(name):
            (payloads / name).unlink(missing_ok=True)


# Folders that get their name when they are complete


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside the wanted one, which gets that one's name at the end of the block, or goes where it failed.

    What a killed run has left of it is removed. Raises StoreError where there is something of either name already.
    """
    target = folder.resolve()  # `.` has no name that another one could be made of
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{folder} already exists: give the name of a new folder")
    unfinished = target.with_name(f"{target.name}.part")
    if unfinished.exists():
        if not (unfinished / UNFINISHED).is_file():
            raise StoreError(f"{unfinished} already exists and is in the way: move it, or give another name")
        shutil.rmtree(unfinished)
    try:
        unfinished.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be made ({error.strerror}): give the name of a new folder on another disk"
        ) from error
    try:
        (unfinished / UNFINISHED).touch(mode=0o600)
        yield unfinished
        (unfinished / UNFINISHED).unlink()
        unfinished.rename(target)
        flush_folder(target.parent)
    except BaseException as failure:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(failure, OSError):
            raise StoreError(
                f"{folder} could not be finished ({failure.strerror or failure}), and what was written has been "
                "removed: make sure that its disk has space, and run the command again"
            ) from failure
        raise
