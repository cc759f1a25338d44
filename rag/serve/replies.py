"""What clients get, field by field: the records of `ask --json` and `search --json`, for OpenAPI and for tools.

The records are made by the commands; tests hold them against these forms.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Reply(BaseModel):
    """A record that has all of its fields, and no others."""

    model_config = ConfigDict(extra="forbid")


class ContextReply(Reply):
    """A slice of a document: what a quotation cannot be understood without, or the answer marked in it."""

    start: int
    end: int
    text: str


class CitationReply(Reply):
    """A quotation and its place: the document's text[start:end] is `text`."""

    source: str
    start: int
    end: int
    line: int
    page: int | None
    page_label: str | None
    place_name: str | None
    places: list[dict[str, Any]]
    heading: str
    text: str
    score: float
    context: ContextReply | None
    answer_span: ContextReply | None
    truncated: bool


class AnswerReply(Reply):
    """An answer with its citations; `checked` is there where a language model wrote it, `nearest` where one is withheld."""

    model_config = ConfigDict(extra="allow")

    question: str
    answer: str
    citations: list[CitationReply]
    answered: bool
    confidence: float
    nearest: CitationReply | None = None


class HitReply(BaseModel):
    """A chunk that was found."""

    source: str
    start: int
    end: int
    text: str
    score: float
    document_id: str
    chunk_index: int


class SearchReply(Reply):
    """The chunks that fit best, best first; `float32` says what is proven of their order, null where a cross-encoder
    decides it, or nobody wants to know."""

    hits: list[HitReply]
    float32: dict[str, Any] | None


class HitsReply(Reply):
    """The chunks that fit best, best first."""

    hits: list[HitReply]


class SpanReply(Reply):
    """A piece of a document: `text` is text[start:end] of its `characters`."""

    source: str
    start: int
    end: int
    characters: int
    text: str


class PlacedSpanReply(SpanReply):
    """The same with what stands before and behind it."""

    before: str
    after: str


class StoreReply(Reply):
    """What the store holds; `stats` are those of `rag stats --json` without the place, null for an empty store."""

    documents: int
    chunks: int
    formats: list[dict[str, Any]]
    languages: list[dict[str, Any]]
    stats: dict[str, Any] | None


class DocumentsReply(Reply):
    """Some documents of the store by their paths; `next` is where the following begin, null where there are none."""

    documents: list[dict[str, Any]]
    total: int
    next: str | None


class RowsReply(Reply):
    """What a statement returned; `more` says that there were more rows."""

    rows: list[dict[str, Any]]
    more: bool


class ErrorDetail(Reply):
    """What is wrong, in one sentence."""

    message: str
    type: str
    code: str
    param: str | None


class ErrorReply(Reply):
    """An error, in the form of OpenAI's."""

    error: ErrorDetail
