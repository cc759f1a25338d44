"""What travels between the rooms: frozen records that are checked where they are made.

Those of vectors are imported when they are used first: they need numpy, which a process that reads files does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sql.records.documents import (
    NO_OUTLINE,
    Chunk,
    DocumentWindow,
    Lead,
    ListedDocument,
    LiveDocument,
    Outline,
    Section,
    SourceDocument,
    last_key,
    path_id,
    path_key,
)
from sql.records.encoder import EncoderIdentity
from sql.records.generations import GENERATION_RANDOM_BITS, first_generation
from sql.records.hits import Candidate, ChunkWords, Hit, TextStatistics, WordQuery

if TYPE_CHECKING:
    from sql.records.vectors import (
        FLOAT32_MAX,
        MAX_DIMENSIONS,
        QUERY_LIMIT,
        QuantizedQuery,
        QuantizedVectors,
        code_pairs,
        fold_query,
        rounded_up,
    )

__all__ = [
    "FLOAT32_MAX",
    "GENERATION_RANDOM_BITS",
    "MAX_DIMENSIONS",
    "NO_OUTLINE",
    "QUERY_LIMIT",
    "Candidate",
    "Chunk",
    "ChunkWords",
    "DocumentWindow",
    "EncoderIdentity",
    "Hit",
    "Lead",
    "ListedDocument",
    "LiveDocument",
    "Outline",
    "QuantizedQuery",
    "QuantizedVectors",
    "Section",
    "SourceDocument",
    "TextStatistics",
    "WordQuery",
    "code_pairs",
    "first_generation",
    "fold_query",
    "last_key",
    "path_id",
    "path_key",
    "rounded_up",
]

_OF_VECTORS = {
    "FLOAT32_MAX",
    "MAX_DIMENSIONS",
    "QUERY_LIMIT",
    "QuantizedQuery",
    "QuantizedVectors",
    "code_pairs",
    "fold_query",
    "rounded_up",
}


def __getattr__(name: str) -> Any:
    if name not in _OF_VECTORS:
        raise AttributeError(f"module 'sql.records' has no attribute {name!r}")
    value = getattr(import_module("sql.records.vectors"), name)
    globals()[name] = value
    return value
