"""A store at one epoch in, its documents out, some thousand at a time: for whoever must not hold all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sql.engine.statements import Statement
from sql.records import DocumentWindow, last_key
from sql.records.metadata import read_metadata
from sql.store.snapshot import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from sql.records import LiveDocument
    from sql.records.metadata import MetadataValue
    from sql.store.snapshot import Snapshot

# Rows of the manifest, of 1.4 kB each where documents are made of them; about so many, by a sample of KEYS_PER_WINDOW.
DOCUMENTS_PER_WINDOW, KEYS_PER_WINDOW = 10_000, 100

GENERATIONS_PER_STATEMENT = 2_000  # which travel in the address of a request


def document_windows(now: Snapshot) -> Iterator[DocumentWindow]:
    """Every document, ordered by `path_key`; all that a file gave is in one window.

    Windows are divided by rows of the manifest, of which a document that was written often has several.
    """
    after = ""
    for upto in (*ends_of_windows(now), None):
        values: dict[str, Any] = {"epoch": now.epoch, "after": after, "upto": upto or ""}
        yield DocumentWindow(
            after, upto, now.client.query_records(Statement("documents_between", values), read_document)
        )
        after = upto or ""


def ends_of_windows(now: Snapshot) -> list[str]:
    """The last keys of all windows but the last one, in order.

    Of a large store a sample of the rows decides: to ask behind each window where the next one ends would sort the paths of
    all rows as often as there are windows.
    """
    one_in = max(1, DOCUMENTS_PER_WINDOW // KEYS_PER_WINDOW)
    rows = now.client.query(Statement("window_ends", {"epoch": now.epoch, "one_in": one_in}))
    keys = [str(row["path_key"]) for row in rows]
    per_window = DOCUMENTS_PER_WINDOW // one_in
    ends: list[str] = []
    for key in map(last_key, keys[per_window::per_window]):
        if not ends or key > ends[-1]:  # what a file gave is in one window, however many rows that is
            ends.append(key)
    return ends


def documents_not_newer(now: Snapshot, document_ids: Sequence[UUID], until: int) -> list[LiveDocument]:
    """The documents of these ids, by path, without those that were published after an epoch."""
    values: dict[str, Any] = {"epoch": now.epoch, "document_ids": [str(one) for one in document_ids], "until": until}
    return now.client.query_records(Statement("documents_not_newer", values), read_document)


def some_metadata(now: Snapshot, generations: Sequence[int]) -> dict[int, Mapping[str, MetadataValue]]:
    """The metadata of some generations, of those that have any."""
    found: dict[int, Mapping[str, MetadataValue]] = {}
    for first in range(0, len(generations), GENERATIONS_PER_STATEMENT):
        some = list(generations[first : first + GENERATIONS_PER_STATEMENT])
        rows = now.client.query(Statement("some_metadata", {"generations": some}))
        found |= {row["generation"]: read_metadata(row["metadata"]) for row in rows}
    return found
