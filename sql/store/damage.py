"""Files of a store that were damaged on its disk in, a sentence or the documents to make again out.

The engine reads a table's parts when it starts. One that is cut short it sets aside without a word, and all that it held
is gone from then on: documents would be listed, unchanged for every ingest, and never found.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sql.base.errors import StoreError, to_run
from sql.base.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Set
    from pathlib import Path

    from sql.engine.location import Location
    from sql.store.snapshot import Snapshot

MADE_AGAIN = {"chunks", "lengths", "postings", "places"}  # tables whose rows of a document come with it again
MOST_NAMED = 3


def parts_set_aside(place: Location) -> list[Path]:
    """The folders of what the engine could not read, in the order of their tables; none of a sound store or a server."""
    folder = place.real_folder
    return sorted(folder.glob("data/data/*/*/detached/*broken*")) if folder is not None else []


def check_parts(place: Location, *, write: bool, announce: Callable[[str], None]) -> list[Path]:
    """The parts that were set aside. A writer is told of them and may go on, to make their documents again.

    StoreError for a reader, which would miss documents in silence, and where rows were lost that no document brings back.
    """
    parts = parts_set_aside(place)
    if not parts:
        return parts
    tables = sorted({part.parents[1].name for part in parts})
    what = (
        f"the store {place} is damaged: {counted(len(parts), 'file')} of the {'table' if len(tables) == 1 else 'tables'} "
        f"{', '.join(tables)} cannot be read, and what {'it' if len(parts) == 1 else 'they'} held is lost"
    )
    if not MADE_AGAIN.issuperset(tables):
        raise StoreError(f"{what}: restore a backup, or ingest into a new store ({parts[0]})")
    if not write:
        raise StoreError(f"{what}: {to_run('ingest PATH...', place)} with all folders mends it, or restore a backup")
    announce(what)
    return parts


def end_damage(parts: list[Path], snapshot: Snapshot, left: Set[str]) -> str:
    """Removes what was set aside where every document is whole again; a sentence for a person.

    `left` are the paths of those that are not.
    """
    if left:
        named = ", ".join(sorted(left)[:MOST_NAMED])
        return (
            f"still damaged: {counted(len(left), 'document')} ({named}{', ...' if len(left) > MOST_NAMED else ''}): ingest "
            "the folders of these too, or take them away with `python -m rag remove`"
        )
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
    return f"the store is whole again: {counted(len(snapshot.documents()), 'document')}"
