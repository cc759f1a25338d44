"""Documents in, whole or not at all; hits out, of one moment."""

from sql.store.collection import SCHEMA_VERSION, Collection
from sql.store.garbage import GRACE_SECONDS
from sql.store.rows import ChunkBatch, Draft, generation_batches, hashed_ending, manifest_row
from sql.store.snapshot import Snapshot
from sql.store.store import Store
from sql.store.writer import Writer

__all__ = [
    "GRACE_SECONDS",
    "SCHEMA_VERSION",
    "ChunkBatch",
    "Collection",
    "Draft",
    "Snapshot",
    "Store",
    "Writer",
    "generation_batches",
    "hashed_ending",
    "manifest_row",
]
