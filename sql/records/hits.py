"""What a search is asked and what it finds: hits, and the words by which chunks are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sql.records.documents import NO_OUTLINE, Outline
from sql.records.metadata import NO_METADATA
from sql.records.places import page_label

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sql.records.metadata import MetadataValue
    from sql.records.places import Place


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, with its place in the user's file; a higher score is nearer.

    `start` and `end` count code points of the decoded file (of the extracted text for converted formats); `line` is
    1-based in the original; `page` is 0 where the format has none. `metadata` is that of its document. `cell` and
    `generation` with `chunk_index` are its key in the table, under which `Store.hit_vectors` finds its vector.
    `score` is what the hits of one search are ordered by: the inner product of question and chunk (their cosine, for an
    encoder of normalized vectors) for `vector`, the BM25 score for `bm25`, and for `hybrid` the weighted mean that
    docs/hybrid.md explains. `vector_score` and `bm25_score` are its parts, None where a search did not compute them. Where a
    reranker has ordered the hits, `score` and `rerank_score` are what it gave, and `search_score` is that of the search.
    `outline` is that of the chunk once `Snapshot.with_outlines` has read it; a search leaves it empty. `place_name` is what
    people call its place in the original, "" where none is known; then `Snapshot.with_places` finds no `places` either.
    """

    source: str
    title: str
    heading: str
    start: int
    end: int
    line: int
    page: int
    text: str
    document_id: UUID
    chunk_index: int
    score: float
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: NO_METADATA)
    cell: int = 0
    generation: int = 0
    vector_score: float | None = None
    bm25_score: float | None = None
    outline: Outline = NO_OUTLINE
    place_name: str = ""
    places: tuple[Place, ...] = ()
    rerank_score: float | None = None
    search_score: float | None = None

    @property
    def page_label(self) -> str:
        """What the page on which it starts is called, "" where the format has none; its number before places are read."""
        return page_label(self.places) or (str(self.page) if self.page else "")

    def place(self) -> dict[str, Any]:
        """Where it stands, as JSON and LangChain show it; without a page where the format has none."""
        return {
            "source": self.source,
            "start": self.start,
            "end": self.end,
            "line": self.line,
            "page": self.page or None,
            "page_label": self.page_label or None,
            "place_name": self.place_name or None,
            "places": [place.record() for place in self.places],
            "title": self.title,
            "heading": self.heading,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that a search by vectors has found, by its key, before it is known whether it will be shown."""

    generation: int
    chunk_index: int
    score: float


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """The words of a chunk, as an analyser leaves them: each term with how often it occurs, and the language.

    `words` is how many words the terms stand for, where a word has several; 0 says one term a word.
    """

    language: str
    terms: Mapping[str, int]
    words: int = 0

    def __post_init__(self) -> None:
        if any(not term or frequency < 1 for term, frequency in self.terms.items()):
            raise ValueError("every term of a chunk must have a letter and occur at least once")

    @property
    def length(self) -> int:
        """The length of the chunk in BM25: its words with their repetitions."""
        return self.words or sum(self.terms.values())


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """What BM25 has to know of all chunks that can be seen: how many there are, their terms, and their languages."""

    chunk_count: int
    term_count: int
    languages: tuple[str, ...]  # the most common one first

    @property
    def average_length(self) -> float:
        """Terms in a chunk, on average; 1 where there are none, so that it can be divided by."""
        return self.term_count / self.chunk_count if self.term_count else 1.0


@dataclass(frozen=True, slots=True)
class WordQuery:
    """The words to search for: different terms, each with its weight (its rarity, times its part in the question).

    `words` numbers the word that each term is a form of: a chunk with several forms of one has that word once. Without
    it each term is a word. `most` is the BM25 score that no chunk can quite reach: that of one with every asked word in
    endless repetition.
    """

    terms: tuple[str, ...]
    weights: tuple[float, ...]
    average_length: float
    most: float
    words: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.words and len(self.words) != len(self.terms):
            raise ValueError(f"{len(self.terms)} terms came with the numbers of {len(self.words)} words")
        if len(set(self.terms)) != len(self.terms) or len(self.terms) != len(self.weights):
            raise ValueError(f"{len(self.terms)} terms came with {len(self.weights)} weights, or a term came twice")
        if not (self.average_length > 0 and self.most > 0):
            raise ValueError(f"average length {self.average_length} and greatest score {self.most} must be above 0")
