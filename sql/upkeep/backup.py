"""A store folder in, a copy of it out that has been opened and checked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import StoreError, UsageError
from sql.engine.folders import DATA, claim_folder, flush_folder, locked, unfinished_folder, write_marker
from sql.store import Store

if TYPE_CHECKING:
    from sql.engine.client import Location


def copy_store(source: Location, target: Location) -> tuple[int, int]:
    """Copies a store to a folder that does not exist, which appears when the copy is sound; its documents and chunks.

    Raises StoreBusy where another process has the store open, StoreError where the target exists, has no room or a
    document of the copy is damaged, UsageError for a store on a server.
    """
    if source.folder is None or target.folder is None:
        raise UsageError(
            f"{source if source.folder is None else target} is on a server: use BACKUP and RESTORE of ClickHouse, or "
            "`python -m rag export`"
        )
    source.require_store()
    claim_folder(source.folder, create=False)
    with unfinished_folder(target.folder) as unfinished:
        write_marker(unfinished)
        with locked(source.folder):
            copy_files(source.folder / DATA, unfinished / DATA)
        counts = check_store(unfinished)
        flush_tree(unfinished)
    return counts


def copy_files(source: Path, target: Path) -> None:
    """A folder with all that is in it; OSError, of the first file that could not be copied."""
    try:
        shutil.copytree(source, target, symlinks=True)
    except shutil.Error as error:
        place, _, reason = error.args[0][0]
        raise OSError(None, f"{place}: {reason}") from error


def check_store(folder: Path) -> tuple[int, int]:
    """Documents and chunks of a store; StoreError where a document is not whole."""
    with Store.open(str(folder)) as store:
        snapshot = store.snapshot()
        damaged = snapshot.damaged_documents()
        if damaged:
            raise StoreError(f"{damaged[0]} is damaged in the copy {folder}: nothing was put in place")
        return len(snapshot.documents()), snapshot.chunk_count()


def flush_tree(folder: Path) -> None:
    """Every file and folder below is on disk when it returns."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if not path.is_symlink():
                flush_folder(path)
        flush_folder(Path(parent))
