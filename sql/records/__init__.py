"""What travels between the rooms: frozen records that are checked where they are made."""

from sql.records.documents import (
    NO_OUTLINE,
    Chunk,
    Lead,
    ListedDocument,
    LiveDocument,
    Outline,
    Section,
    SourceDocument,
    path_id,
)
from sql.records.encoder import EncoderIdentity
from sql.records.generations import GENERATION_RANDOM_BITS, first_generation
from sql.records.hits import Candidate, ChunkWords, Hit, TextStatistics, WordQuery
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
    "path_id",
    "rounded_up",
]
