"""Documents in, whole or not at all; hits out, of one moment."""

from sql.store.store import (
    GRACE_SECONDS,
    ROWS_PER_INSERT,
    SCHEMA_VERSION,
    Collection,
    Draft,
    Passages,
    Store,
    chunk_columns,
    deletion_row,
    hashed_ending,
    manifest_row,
    text_hash,
)

__all__ = [
    "GRACE_SECONDS",
    "ROWS_PER_INSERT",
    "SCHEMA_VERSION",
    "Collection",
    "Draft",
    "Passages",
    "Store",
    "chunk_columns",
    "deletion_row",
    "hashed_ending",
    "manifest_row",
    "text_hash",
]
