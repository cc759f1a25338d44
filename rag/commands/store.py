"""`migrate`, `export`, `import`, `backup` and `restore`: a store brought up to date, or somewhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sql.base.errors import EXIT_OK, StoreError
from sql.base.terminal import note, out
from sql.base.wording import counted

if TYPE_CHECKING:
    from argparse import Namespace


def migrate(options: Namespace) -> int:
    """Brings a store made by an older version up to date; may be stopped at any time and run again."""
    from rag.index.word_index import add_words
    from sql.engine.client import parse_location
    from sql.store import Store

    location = parse_location(options.db)
    location.require_store()
    with Store.open(location, write=True, announce=note) as store:
        collection = store.collection()
        if collection is None:
            raise StoreError(store.emptiness)
        add_words(store, options.language, note)
        chunks = counted(store.snapshot().chunk_count(), "chunk")
        out(f"{location} is up to date: schema version {collection.schema_version}, {chunks}")
    return EXIT_OK


def export(options: Namespace) -> int:
    """Writes the documents of the store with their vectors and words as Parquet files into a new folder."""
    from sql.store import Store
    from sql.upkeep.transfer import export_store

    with Store.open(options.db) as store:
        done = export_store(store, Path(options.folder))
        what = f"{counted(done.documents, 'document')}, {counted(done.chunks, 'chunk')}"
        out(f"{options.folder}: {what} of {store.client.location}")
    return EXIT_OK


def import_(options: Namespace) -> int:
    """Publishes the documents of an export in the store, all at once; nothing is embedded."""
    from sql.store import Store
    from sql.upkeep.cells import maintain_cells
    from sql.upkeep.transfer import import_store, read_export

    folder = Path(options.folder)
    found = read_export(folder)
    with Store.open(options.db, write=True, announce=note) as store:
        done = import_store(store, folder, found)
        maintain_cells(store, note)
        out(
            f"{store.client.location}: {counted(done.documents, 'document')}, {counted(done.chunks, 'chunk')} imported, "
            f"{counted(done.unchanged, 'document')} {'was' if done.unchanged == 1 else 'were'} there"
        )
    return EXIT_OK


def backup(options: Namespace) -> int:
    """Copies the store (its files if it is not in use, else its documents) and checks every document of the copy."""
    return copy(options.db, options.folder)


def restore(options: Namespace) -> int:
    """Copies a backup to a place without a store, and checks every document."""
    return copy(options.folder, options.db)


def copy(source: str, target: str) -> int:
    """Copies one store folder to another one."""
    from sql.engine.client import parse_location
    from sql.upkeep.backup import copy_store

    documents, chunks = copy_store(parse_location(source), parse_location(target), note)
    out(f"{target}: {counted(documents, 'document')}, {counted(chunks, 'chunk')}, all sound")
    return EXIT_OK
