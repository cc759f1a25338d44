"""How much one client may ask of the server, and what a request that asks for more is told."""

from __future__ import annotations

from dataclasses import dataclass

from sql.base.errors import (
    DocumentChanged,
    ModelError,
    NoStore,
    RagError,
    StoreBusy,
    StoreError,
    StoreMismatch,
    UsageError,
)

LONGEST_QUESTION = 8_000  # characters; an encoder reads some hundred words
MOST_CHUNKS = 100  # of one search
MOST_TEXTS = 2_048  # of one request for embeddings, as OpenAI has it
LARGEST_BODY = 4 << 20  # bytes of a request
LONGEST_SPAN = 20_000  # characters of a document that are read at a time
LONGEST_AROUND = 4_000  # characters on each side of it
MOST_MEASURED = 200  # chunks that are the questions of one measurement
MOST_TURNS = 20  # of a conversation, that are told of with a question
MOST_LISTED = 1_000  # documents, or rows of a statement, at a time
MOST_KEYS = 1_000  # questions of one request of a dictionary


@dataclass(frozen=True, slots=True)
class Limits:
    """What the whole server does at a time: `at_once` requests in work, `waiting` behind them, each at most `seconds`."""

    at_once: int = 32
    waiting: int = 256
    seconds: float = 120.0
    body_bytes: int = LARGEST_BODY


class Refused(Exception):
    """A request that is not served: the status of HTTP, one sentence, and a code that stays when sentences change."""

    def __init__(self, status: int, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


# The first class that an error belongs to says which status it gets: what the client can mend is 422, what
# has changed meanwhile 409, what may pass 503.
STATUSES: tuple[tuple[type[RagError], int], ...] = (
    (UsageError, 422),
    (DocumentChanged, 409),
    (NoStore, 503),
    (StoreBusy, 503),
    (StoreMismatch, 503),
    (StoreError, 503),
    (ModelError, 503),
    (RagError, 422),  # a text that is longer than the encoder reads
)


def refusal_of(error: RagError) -> Refused:
    """What an error of the library is to a client."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return Refused(status, str(error), error.code)
