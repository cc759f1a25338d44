"""The records that travel between the rooms: a chunk of a document, and vectors with their scale and zero-point."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from sql.errors import InvalidVector
from sql.metadata import NO_METADATA, freeze_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sql.calibration import Calibration
    from sql.metadata import MetadataValue

QUERY_LIMIT = 2047
FLOAT32_MAX = float(np.finfo(np.float32).max)
GENERATION_RANDOM_BITS = 40
MAX_DIMENSIONS = 8192  # 8192 * 128 * 2047 < 2**31: beyond it the dot product of codes and query overflows Int32


def first_generation(epoch: int) -> int:
    """The lowest number of a generation that is begun when this epoch is the latest; all begun before have lower ones."""
    return (epoch + 1) << GENERATION_RANDOM_BITS


@dataclass(frozen=True, slots=True)
class Section:
    """From `start` on the path of headings is `heading`; text[start:end] is the heading itself, empty where none stands."""

    start: int
    end: int
    heading: str


@dataclass(frozen=True, slots=True)
class Lead:
    """What text[start:end] cannot be understood without: `text`, which stands at text[lead_start:lead_end].

    The header of a table for its rows, and the sentence that introduces a list for its items.
    """

    start: int
    end: int
    lead_start: int
    lead_end: int
    text: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What the text of a chunk does not show of itself; offsets are those of the document, in code points.

    `sections` are empty where the heading of the chunk holds for all of it.
    """

    sections: tuple[Section, ...] = ()
    leads: tuple[Lead, ...] = ()

    def heading_at(self, offset: int, otherwise: str) -> str:
        """The path of headings at a place of the chunk."""
        above = [section for section in self.sections if section.start <= offset]
        return above[-1].heading if above else otherwise

    def is_heading(self, start: int, end: int) -> bool:
        """Whether a span lies within a heading."""
        return any(section.start <= start and end <= section.end for section in self.sections)

    def lead_at(self, start: int, end: int) -> Lead | None:
        """What a span cannot be understood without, where there is such a thing outside of it."""
        leads = [lead for lead in self.leads if lead.start <= start and end <= lead.end]
        return leads[-1] if leads else None

    def as_json(self) -> str:
        """The form in which the table holds it; empty where there is nothing to say."""
        if not self.sections and not self.leads:
            return ""
        lists = {
            "sections": [[one.start, one.end, one.heading] for one in self.sections],
            "leads": [[one.start, one.end, one.lead_start, one.lead_end, one.text] for one in self.leads],
        }
        return json.dumps(
            {name: rows for name, rows in lists.items() if rows}, ensure_ascii=False, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str) -> Outline:
        """An outline as the table holds it."""
        if not text:
            return NO_OUTLINE
        lists = json.loads(text)
        return cls(
            tuple(Section(*row) for row in lists.get("sections", ())),
            tuple(Lead(*row) for row in lists.get("leads", ())),
        )


NO_OUTLINE = Outline()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one document: `document.text[start:end] == text`, offsets in code points.

    `line` is the 1-based line of the user's file on which the chunk starts, `page` its 1-based page or 0 where the
    format has none, `heading` the path of headings above it (`Guide > Install`) or "", `tokens` the number of the
    encoder's tokens in `text` without the special ones. `outline` tells the headings of a chunk that has several.
    """

    index: int
    text: str
    start: int
    end: int
    line: int
    page: int
    heading: str
    tokens: int
    outline: Outline = NO_OUTLINE

    def __post_init__(self) -> None:
        if not self.text or self.end - self.start != len(self.text):
            raise ValueError(f"chunk {self.index} spans {self.start}..{self.end} but holds {len(self.text)} characters")


@dataclass(frozen=True, slots=True)
class QuantizedVectors:
    """`n` vectors as int8 codes: `x ~ scale * (code - zero_point)`, one scale and zero-point a vector.

    codes: int8, shape (n, dimensions); scale: float32, shape (n,), finite and positive; zero_point: int8, shape (n,).
    `calibration` holds the ranges that they share, if they do. Per dimension, its scales and zero-points apply and those
    of the vectors are 1 and 0; per collection, its one scale and zero-point are repeated for each vector.
    Raises InvalidVector where a dtype, a shape or a scale is anything else: the database would wrap or store it.
    """

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int8]
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.int8:
            raise InvalidVector(f"codes must be int8 with two axes, not {self.codes.dtype} of shape {self.codes.shape}")
        rows, dimensions = self.codes.shape
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise InvalidVector(
                f"vectors of {dimensions} dimensions: only 1 to {MAX_DIMENSIONS} can be searched exactly"
            )
        if self.scale.shape != (rows,) or self.scale.dtype != np.float32:
            raise InvalidVector(f"scale must be float32 of shape ({rows},), not {self.scale.dtype} {self.scale.shape}")
        if self.zero_point.shape != (rows,) or self.zero_point.dtype != np.int8:
            raise InvalidVector(
                f"zero_point must be int8 of shape ({rows},), not {self.zero_point.dtype} {self.zero_point.shape}"
            )
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InvalidVector("every scale must be finite and greater than 0")
        shared = self.dimension_ranges
        if shared is not None and (
            shared.scale.shape != (dimensions,) or (self.scale != 1).any() or self.zero_point.any()
        ):
            raise InvalidVector(f"ranges of {len(shared.scale)} dimensions cannot be those of {dimensions} dimensions")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def dimensions(self) -> int:
        """Numbers in one vector."""
        return int(self.codes.shape[1])

    @property
    def dimension_ranges(self) -> Calibration | None:
        """The calibration, if it has a range for each dimension."""
        return self.calibration if self.calibration is not None and self.calibration.per_dimension else None

    def rows(self, rows: range) -> QuantizedVectors:
        """Some of the vectors, one behind the other, without a copy."""
        part = slice(rows.start, rows.stop)
        return replace(self, codes=self.codes[part], scale=self.scale[part], zero_point=self.zero_point[part])

    def steps(self) -> NDArray[np.int32]:
        """Codes without their zero-point, int32 (n, dimensions), within -255..255: int8 could not hold them."""
        shared = self.dimension_ranges
        zero_points = self.zero_point[:, None] if shared is None else shared.zero_point
        return np.asarray(self.codes.astype(np.int32) - zero_points.astype(np.int32))

    def step_widths(self) -> NDArray[np.float64]:
        """What one step is worth, float64, (n, 1) or, with a range for each dimension, (1, dimensions)."""
        shared = self.dimension_ranges
        return np.asarray((self.scale[:, None] if shared is None else shared.scale[None]).astype(np.float64))

    def dequantize(self) -> NDArray[np.float32]:
        """The vectors as float32, shape (n, dimensions)."""
        # The outermost code may lie half a step beyond the range, which next to the largest float32 would be infinity.
        values = self.steps() * self.step_widths()
        return np.asarray(np.clip(values, -FLOAT32_MAX, FLOAT32_MAX), dtype=np.float32)

    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of each vector, float32, shape (n,); InvalidVector where float32 cannot hold it."""
        steps = self.steps()
        if self.dimension_ranges is None:
            squares = np.einsum("ij,ij->i", steps, steps)  # exact: 8,192 * 255 * 255 < 2**31
            norms = np.sqrt(squares) * self.scale.astype(np.float64)
        else:
            norms = np.sqrt(np.square(steps * self.step_widths()).sum(axis=1))
        if len(norms) and norms.max() > FLOAT32_MAX:
            row = int(norms.argmax())
            raise InvalidVector(
                f"vector {row} has the length {norms[row]:.3g}, which float32 cannot hold: scale it down"
            )
        return np.asarray(norms, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class QuantizedQuery:
    """A query vector for the exact integer search: `q ~ scale * codes`, codes int16 within -2047..2047.

    Eleven bits and a sign are the most that keep `dotProduct(Array(Int16), Array(Int8))`, whose accumulator is Int32,
    exact up to 8,192 dimensions.
    """

    codes: NDArray[np.int16]
    scale: float

    def __post_init__(self) -> None:
        if self.codes.ndim != 1 or self.codes.dtype != np.int16:
            raise InvalidVector(f"query codes must be int16 with one axis, not {self.codes.dtype} {self.codes.shape}")
        if not 1 <= len(self.codes) <= MAX_DIMENSIONS or not (
            # not np.abs: the magnitude of -32768 does not fit int16 and would pass as negative
            -QUERY_LIMIT <= int(self.codes.min()) <= int(self.codes.max()) <= QUERY_LIMIT
        ):
            raise InvalidVector(f"a query holds 1 to {MAX_DIMENSIONS} codes within -{QUERY_LIMIT}..{QUERY_LIMIT}")
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise InvalidVector(f"a query's scale must be finite and greater than 0, not {self.scale}")


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Everything about an encoder that decides whether two of its vectors may be compared."""

    model: str
    model_revision: str
    model_sha256: str
    tokenizer_sha256: str
    weights: str
    pooling: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One document as the manifest knows it.

    `path` is absolute and is the document's identity, `source` the path as it was given; `extracted_text` is the text
    that offsets count in where the format had to be converted, None where they count in the file itself. `metadata` is
    what searches can be filtered by: names with text, numbers, truth values, None or lists of them; it is copied and
    cannot be changed. Raises InvalidMetadata where it holds anything else.
    """

    path: str
    source: str
    title: str
    format: str
    encoding: str
    content_sha256: str
    content_bytes: int
    chunker: str
    extracted_text: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: NO_METADATA)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", freeze_metadata(self.metadata))

    @property
    def document_id(self) -> UUID:
        """BLAKE2b-128 of the path: the same file has the same id in every run."""
        return path_id(self.path)


def path_id(path: str) -> UUID:
    """The id of the document at a path."""
    return UUID(bytes=blake2b(path.encode(), digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class LiveDocument:
    """A published document, with what tells whether its file has changed since."""

    document_id: UUID
    generation: int
    path: str
    source: str
    title: str
    format: str
    content_sha256: str
    content_bytes: int
    chunker: str
    chunk_count: int
    row_hash_sum: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, with its place in the user's file; a higher score is nearer.

    `start` and `end` count code points of the decoded file (of the extracted text for converted formats); `line` is
    1-based in the original; `page` is 0 where the format has none. `metadata` is that of its document. `cell` and
    `generation` with `chunk_index` are its key in the table, under which `Store.hit_vectors` finds its vector.
    `score` is what the hits of one search are ordered by: the inner product of question and chunk (their cosine, for an
    encoder of normalized vectors) for `vector`, the BM25 score for `bm25`, and for `hybrid` the weighted mean that
    docs/hybrid.md explains. `vector_score` and `bm25_score` are its parts, None where a search did not compute them.
    `outline` is that of the chunk once `Store.with_outlines` has read it; a search leaves it empty.
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

    def place(self) -> dict[str, str | int | None]:
        """Where it stands, as JSON and LangChain show it; without a page where the format has none."""
        return {
            "source": self.source,
            "start": self.start,
            "end": self.end,
            "line": self.line,
            "page": self.page or None,
            "title": self.title,
            "heading": self.heading,
        }


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
