"""Places of documents in, the columns of inserts out, and back; and what has to arrive of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from sql.base.sums import MASK_64
from sql.records import FLOAT32_MAX
from sql.records.places import (
    CELLS,
    NOTEBOOK_CELL,
    PAGE,
    RECTANGLE,
    SLIDE,
    Cells,
    MailPart,
    NotebookCell,
    Page,
    Place,
    Rectangle,
    kept_name,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.records.places import Whereabouts
    from sql.store.rows import Draft

TEXTS = ("kind", "page_label", "sheet", "mail_part")
SIDES = ("left", "bottom", "right", "top")  # of a rectangle
BLOCK = ("first_row", "first_column", "last_row", "last_column")  # of cells
NOTHING: dict[str, Any] = (
    dict.fromkeys(TEXTS, "") | dict.fromkeys(("page", *BLOCK, "notebook_cell"), 0) | dict.fromkeys(SIDES, 0.0)
)
# What each column counts in the checksum of a row: odd numbers, so that no bit of it is lost.
FACTORS = {
    "char_end": 31, "kind": 37, "page": 41, "page_label": 43, "left": 47, "bottom": 53, "right": 59, "top": 61,
    "sheet": 67, "first_row": 71, "first_column": 73, "last_row": 79, "last_column": 83, "notebook_cell": 89,
    "mail_part": 97,
}  # fmt: skip


def place_columns(rows: Sequence[tuple[Draft, Place]]) -> dict[str, Any]:
    """Places of drafts as the columns of an insert; counts them in their drafts."""
    columns = value_columns([place for _, place in rows])
    for (draft, _), checksum in zip(rows, place_checksums(columns).tolist(), strict=True):
        draft.place_count += 1
        draft.place_checksum = (draft.place_checksum + checksum) & MASK_64
    return {
        "generation": np.array([draft.generation for draft, _ in rows], np.uint64),
        "document_id": [draft.document_id for draft, _ in rows],
        **columns,
    }


def value_columns(places: Sequence[Place]) -> dict[str, Any]:
    """The columns that say of places where they are."""
    values = [columns_of(place.where) for place in places]
    columns: dict[str, Any] = {
        "char_start": np.array([place.start for place in places], np.uint64),
        "char_end": np.array([place.end for place in places], np.uint64),
    }
    for name, nothing in NOTHING.items():
        column = [value.get(name, nothing) for value in values]
        if name in SIDES:
            # A page of a broken file may be as large as a float64 can say.
            columns[name] = np.clip(np.array(column, np.float64), -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
        else:
            # Nor does a row beyond all sheets, which a file may name, end the whole run.
            columns[name] = (
                column if name in TEXTS else np.minimum(np.array(column, np.uint64), 2**32 - 1).astype(np.uint32)
            )
    return columns


def places_promise(places: Sequence[Place]) -> tuple[int, int]:
    """How many places there are and their checksum, as the manifest promises them."""
    return len(places), sum(place_checksums(value_columns(places)).tolist()) & MASK_64


def columns_of(where: Whereabouts) -> dict[str, Any]:
    """The columns that a place fills, the others being 0 or empty."""
    kind = {"kind": kind_of(where)}
    match where:
        case Page():
            return kind | {"page": where.number, "page_label": kept_name(where.label)}
        case Rectangle():
            return kind | {"page": where.page} | {side: getattr(where, side) for side in SIDES}
        case Cells():
            return kind | {"sheet": kept_name(where.sheet)} | {name: getattr(where, name) for name in BLOCK}
        case NotebookCell():
            return kind | {"notebook_cell": where.number}
        case MailPart():
            return kind | {"mail_part": where.number}


def place_checksums(columns: dict[str, Any]) -> NDArray[np.uint64]:
    """The checksum of each row, uint64 (rows,), modulo 2^64: see count_places.sql."""
    total = np.zeros(len(columns["char_start"]), np.uint64)
    for name, factor in FACTORS.items():
        column = columns[name]
        if name in TEXTS:
            codes = {text: crc32(text.encode()) for text in set(column)}
            numbers = np.array([codes[text] for text in column], np.uint64)
        else:
            numbers = (column.view(np.uint32) if name in SIDES else column).astype(np.uint64)
        total += numbers * np.uint64(factor)
    return np.asarray((columns["char_start"] + np.uint64(1)) * total)


def draft_places(drafts: Sequence[Draft]) -> Iterator[tuple[Draft, Place]]:
    """Every place of some drafts with the draft it belongs to."""
    return ((draft, place) for draft in drafts for place in draft.document.places)


def read_place(row: Row) -> Place:
    """The place of a row."""
    return Place(row["char_start"], row["char_end"], read_whereabouts(row))


def read_whereabouts(row: Row) -> Whereabouts:
    """Where a row says that the text stands."""
    kind = str(row["kind"])
    if kind in {PAGE, SLIDE}:
        return Page(row["page"], row["page_label"], kind)
    if kind == RECTANGLE:
        return Rectangle(row["page"], *(row[side] for side in SIDES))
    if kind == CELLS:
        return Cells(row["sheet"], *(row[name] for name in BLOCK))
    return NotebookCell(row["notebook_cell"]) if kind == NOTEBOOK_CELL else MailPart(row["mail_part"])
