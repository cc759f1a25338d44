"""What clients may ask for, field by field: of HTTP and of the Model Context Protocol alike.

A field that is not known is an error, so that a misspelt filter never finds everything.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from rag.serve.limits import (
    LONGEST_AROUND,
    LONGEST_QUESTION,
    LONGEST_SPAN,
    MOST_CHUNKS,
    MOST_LISTED,
    MOST_MEASURED,
    MOST_TEXTS,
    MOST_TURNS,
)
from sql.base.settings import DEFAULT_ANSWER_TOKENS, DEFAULT_K, LANGUAGES

FILTER = 'which chunks may be found, such as {"source": {"$glob": "docs/**"}, "year": {"$gte": 2024}}'
MOST_TOKENS = 8_192  # of an answer that a language model writes


class Closed(BaseModel):
    """A record with the fields that it names and no others; a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, validate_by_name=True)


class Search(Closed):
    """How chunks are found, whether they are shown or answered from."""

    k: int = Field(default=DEFAULT_K, ge=1, le=MOST_CHUNKS, description="how many chunks are found")
    filter: dict[str, Any] | None = Field(default=None, description=FILTER)
    ranking: Literal["hybrid", "vector", "words"] = Field(default="hybrid", description="what is compared")
    language: str = Field(default=LANGUAGES[0], description=f"of the question: {', '.join(LANGUAGES)}", max_length=10)
    per_document: int | None = Field(
        default=None, ge=1, le=MOST_CHUNKS, description="at most so many chunks of one document"
    )

    def options(self) -> dict[str, Any]:
        """The options of `Library.search` and `Library.ask`."""
        return {name: getattr(self, name) for name in Search.model_fields}


class Question(Search):
    """A question to be answered."""

    question: str = Field(validation_alias=AliasChoices("question", "query"), min_length=1, max_length=LONGEST_QUESTION)
    min_confidence: float | None = Field(
        default=None, ge=0, le=1, description="an answer that is less probable than this is withheld"
    )
    strict: bool = Field(
        default=False, description="leave out what a language model wrote and the passages do not hold"
    )

    def options(self) -> dict[str, Any]:
        """The options of `Library.ask`."""
        return super().options() | {"min_confidence": self.min_confidence, "strict": self.strict}


class Query(Search):
    """What is searched for."""

    query: str = Field(validation_alias=AliasChoices("query", "question"), min_length=1, max_length=LONGEST_QUESTION)
    strategy: Literal["auto", "exact", "two-stage", "cells"] = Field(
        default="auto", description="how vectors are searched"
    )

    def options(self) -> dict[str, Any]:
        """The options of `Library.search`."""
        return super().options() | {"strategy": self.strategy}


class AskedBefore(Closed):
    """A question of a conversation as it was asked in the end, and its answer; empty where there was none."""

    question: str = Field(min_length=1, max_length=LONGEST_QUESTION)
    answer: str = Field(default="", max_length=LONGEST_SPAN)


class AskBody(Question):
    """POST /v1/ask."""

    turns: list[AskedBefore] = Field(
        default=[], max_length=MOST_TURNS, description="what was asked before, for a question that leans on it"
    )
    stream: bool = Field(default=False, description="whether the answer comes as server-sent events")
    max_tokens: int = Field(
        default=DEFAULT_ANSWER_TOKENS, ge=1, le=MOST_TOKENS, description="of an answer that a language model writes"
    )

    def options(self) -> dict[str, Any]:
        """The options of `Library.ask`."""
        return super().options() | {"max_tokens": self.max_tokens}


class SearchBody(Query):
    """POST /v1/search."""

    certify: bool = Field(
        default=True,
        description="whether to say what is proven of the order: in a large store one more look at every chunk",
    )
    stream: bool = Field(default=False, description="whether the hits come as server-sent events")


# The Model Context Protocol


class Span(Closed):
    """A piece of a document to be read."""

    source: str = Field(min_length=1, max_length=4096, description="as a citation or list_documents has it")
    start: int = Field(default=0, ge=0, description="its first character; offsets are those of citations")
    end: int | None = Field(
        default=None, ge=0, description=f"behind its last one; at most {LONGEST_SPAN:,} characters are read at a time"
    )


class Listing(Closed):
    """Which documents are listed."""

    filter: dict[str, Any] | None = Field(default=None, description=FILTER)
    after: str | None = Field(
        default=None, max_length=4096, description="go on behind this path, the `next` of the last call"
    )
    limit: int = Field(default=100, ge=1, le=MOST_LISTED)


class PlacedSpan(Span):
    """POST /v1/span: a piece of a document, and what stands around it."""

    around: int = Field(default=0, ge=0, le=LONGEST_AROUND, description="characters before and behind it that come too")


class Picture(Closed):
    """POST /v1/picture: a page of a PDF of the store, with a span of its text marked."""

    source: str = Field(min_length=1, max_length=4096, description="as a citation has it")
    start: int = Field(ge=0, description="of the span, as a citation has it")
    end: int = Field(ge=1, description="of the span, as a citation has it")
    page: int | None = Field(
        default=None, ge=1, le=10_000_000, description="counted from 1; by default the one on which the span begins"
    )


class Measure(Closed):
    """POST /v1/ladder and /v1/losses: how much is measured."""

    sample: int = Field(default=20, ge=1, le=MOST_MEASURED, description="chunks of the store that are the questions")


class Kept(Closed):
    """POST /v1/queries: which of the questions that were kept."""

    limit: int = Field(default=50, ge=1, le=MOST_LISTED, description="the newest of them")


class KeptOne(Closed):
    """POST /v1/queries/explain."""

    query_id: UUID = Field(strict=False, description="as /v1/queries and an answer have it")


class SqlStatement(Closed):
    """A statement that reads the tables of the store."""

    statement: str = Field(min_length=1, max_length=50_000, description="{epoch:UInt64} is the newest epoch")
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict, description="of {name:Type}")
    query: str | None = Field(
        default=None, max_length=LONGEST_QUESTION, description="a text whose vector is {query:Array(Float32)}"
    )
    limit: int = Field(default=100, ge=1, le=MOST_LISTED, description="rows that are returned at most")


# As OpenAI has them


class EmbeddingsBody(Closed):
    """POST /v1/embeddings."""

    model: str = Field(max_length=500)
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = Field(default=None, description="has no effect")
    input_type: Literal["document", "query"] = Field(
        default="document",
        description="not of OpenAI: which prompt of the encoder is put before the texts, if it has one",
    )

    def texts(self) -> list[str]:
        """The texts to encode; ValueError where they are none, too many, or empty."""
        given = [self.input] if isinstance(self.input, str) else self.input
        if not given or len(given) > MOST_TEXTS:
            raise ValueError(f"input has {len(given):,} texts, and from 1 to {MOST_TEXTS:,} are encoded at a time")
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) < len(given):
            raise ValueError(
                "input has numbers of tokens, which mean nothing to this encoder: send texts "
                "(LangChain: check_embedding_ctx_length=False)"
            )
        if not all(text.strip() for text in texts):
            raise ValueError("input has an empty text, which has no meaning to encode: leave it out")
        return texts


class TextPart(BaseModel):
    """A part of a message that is text; there are no others."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a conversation. What else a client keeps with it is not looked at."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """How a completion is streamed."""

    include_usage: bool = False


NO_EFFECT = "has no effect: an answer is quoted, or written by the most likely tokens"
Sampling = Annotated[Any, Field(description=NO_EFFECT)]


class ChatBody(BaseModel):
    """POST /v1/chat/completions. Parameters of sampling are accepted and have no effect; tools and formats are refused."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=500)
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    n: Literal[1] | None = None
    temperature: Sampling = None
    top_p: Sampling = None
    min_p: Sampling = None
    presence_penalty: Sampling = None
    frequency_penalty: Sampling = None
    seed: Sampling = None
    stop: Sampling = None
    logit_bias: Sampling = None
    user: Sampling = None
    store: Sampling = None
    metadata: Sampling = None
    reasoning: Sampling = None
    reasoning_effort: Sampling = None
    verbosity: Sampling = None
    service_tier: Sampling = None
    safety_identifier: Sampling = None
    prompt_cache_key: Sampling = None

    def question(self) -> str:
        """The last message of the user; ValueError where there is none, or it is too long."""
        asked = next((message.text for message in reversed(self.messages) if message.role == "user"), "")
        if not asked.strip():
            raise ValueError("messages has no message of the role user with a text, which would be the question")
        if len(asked) > LONGEST_QUESTION:
            raise ValueError(
                f"the last message has {len(asked):,} characters, and a question has at most {LONGEST_QUESTION:,}: "
                "shorten it"
            )
        return asked

    def turns(self) -> list[tuple[str, str]]:
        """The questions before the last one with their answers, as they were said; the latest of them."""
        said = [(message.role, message.text) for message in self.messages if message.role in {"user", "assistant"}]
        last = max((place for place, (role, _) in enumerate(said) if role == "user"), default=0)
        pairs = [
            (text, said[place + 1][1] if said[place + 1][0] == "assistant" else "")
            for place, (role, text) in enumerate(said[:last])
            if role == "user" and text.strip()
        ]
        return pairs[-MOST_TURNS:]

    @property
    def most_tokens(self) -> int:
        """The longest answer that a language model may write."""
        return self.max_completion_tokens or self.max_tokens or DEFAULT_ANSWER_TOKENS
