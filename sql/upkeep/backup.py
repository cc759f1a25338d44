"""A store folder in, a copy of it out that has been opened and checked.

The files of a store that nobody has open are copied as they are. One that another process has open, such as an ingest, is
read through that process: its engine changes and removes files at any moment, so a copy of them would be of none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import StoreBusy, StoreError, UsageError
from sql.engine.folders import DATA, claim_folder, flush_folder, locked, unfinished_folder, write_marker
from sql.store import Store
from sql.upkeep.cells import maintain_cells
from sql.upkeep.transfer import export_store, import_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from sql.engine.client import Location


def copy_store(
    source: Location, target: Location, announce: Callable[[str], None] = lambda sentence: None
) -> tuple[int, int]:
    """Copies a store to a folder that does not exist, which appears when the copy is sound; its documents and chunks.

    Of a store that another process has open the documents of one moment are copied, without older versions and without
    when each was written. Raises StoreBusy where that process does not let others read, StoreError where the target
    exists, has no room or a document of the copy is damaged, UsageError for a store on a server.
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
        try:
            with locked(source.folder):
                copy_files(source.folder / DATA, unfinished / DATA)
        except StoreBusy as busy:
            announce(f"{busy}: what it has published so far is read through it")
            copy_documents(source, unfinished)
        counts = check_store(unfinished)
        flush_tree(unfinished)
    return counts


def copy_documents(source: Location, target: Path) -> None:
    """Makes a store of the documents that another process shows; what is copied is checked on the way, row by row."""
    with tempfile.TemporaryDirectory(prefix="export-", dir=target) as scratch:
        folder = Path(scratch) / "export"
        with Store.open(source) as store:
            found = export_store(store, folder)
        with Store.open(str(target), write=True) as copy:
            import_store(copy, folder, found)
            maintain_cells(copy)


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
