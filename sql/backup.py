"""A store folder in, a copy of it out that has been opened and checked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sql.errors import StoreError, UsageError
from sql.folders import flush_folder, locked
from sql.store import Store

if TYPE_CHECKING:
    from sql.client import Location


def copy_store(source: Location, target: Location) -> tuple[int, int]:
    """Copies a store to a folder that does not exist, which appears when the copy is sound; its documents and chunks.

    Raises StoreBusy where another process has the store open, StoreError where the target exists or a document of the
    copy is damaged, UsageError for a store on a server.
    """
    if source.folder is None or target.folder is None:
        raise UsageError(
            f"{source if source.folder is None else target} is on a server: use BACKUP and RESTORE of ClickHouse, or "
            "`python -m rag export`"
        )
    source.require_store()
    folder = target.folder.resolve()  # `.` has no name that another one could be made of
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{target} exists already: give the name of a new folder")
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    with locked(source.folder):
        shutil.copytree(source.folder / "data", unfinished / "data", symlinks=True)
    counts = check_store(unfinished)
    flush_tree(unfinished)
    unfinished.rename(folder)
    flush_folder(folder.parent)
    return counts


def check_store(folder: Path) -> tuple[int, int]:
    """Documents and chunks of a store; StoreError where a document is not whole."""
    (folder / "lock").touch(mode=0o600)
    with Store.open(str(folder)) as store:
        damaged = store.damaged_documents()
        if damaged:
            raise StoreError(f"{damaged[0]} is damaged in the copy {folder}: nothing was put in place")
        return len(store.documents()), store.chunk_count()


def flush_tree(folder: Path) -> None:
    """Every file and folder below is on disk when it returns."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if not path.is_symlink():
                flush_folder(path)
        flush_folder(Path(parent))
