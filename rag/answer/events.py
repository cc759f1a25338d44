"""What is heard of an answer while it comes into being: typed events, each in the thread of whoever listens.

    with library.ask_stream("How hot is the kiln fired?") as stream:
        for event in stream:
            ...

First the passages, then the text in pieces, at last the answer. A stream without its last event gave no whole answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.answer.answer import Answer
    from rag.answer.check import GeneratedAnswer
    from sql.records import Hit


@dataclass(frozen=True, slots=True)
class Passages:
    """The chunks that the answer comes from, best first, and those for which a language model's context had no room."""

    hits: tuple[Hit, ...]
    left_out: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the answer's text, already checked. All of them in a row are the text of the answer, unless what
    came later changed what it means: then the answer that comes last is the one that holds."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer, the last event; its `answered` may be false."""

    answer: Answer | GeneratedAnswer


Event = Passages | Token | Finished


class AnswerStream:
    """The events of one answer, an iterator; `cancel`, from any thread, ends it without the last one."""

    def __init__(self, events: Callable[[threading.Event], Iterator[Event]]) -> None:
        """`events` makes them, and is given what is set when nobody wants them any more."""
        self._cancelled = threading.Event()
        self._events = events(self._cancelled)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if self._cancelled.is_set():
            raise StopIteration
        return next(self._events)

    def cancel(self) -> None:
        """Ends the answer: a language model that is writing stops with its next word."""
        self._cancelled.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()


class Stopped(Exception):
    """Nobody listens any more; raised where a language model says its next piece."""


def in_pieces(
    write: Callable[[Callable[[str], None]], bool], cancelled: threading.Event, patience: float = 0.05
) -> Iterator[str | bool]:
    """What `write` says, piece by piece, and at last what it returns; what it raises is raised here.

    It works in a thread of its own, so that a person need not wait for the next word of a slow model to be rid of it:
    within `patience` seconds after `cancelled` is set, or at once after Ctrl-C, this ends, and the thread with its next
    piece.
    """
    said: SimpleQueue[str | bool | BaseException] = SimpleQueue()
    gone = threading.Event()

    def say(piece: str) -> None:
        if cancelled.is_set() or gone.is_set():
            raise Stopped
        said.put(piece)

    def work() -> None:
        try:
            said.put(write(say))
        except BaseException as error:  # whoever listens is told
            said.put(error)

    threading.Thread(target=work, name="language model", daemon=True).start()
    try:
        while not cancelled.is_set():
            try:
                piece = said.get(timeout=patience)
            except Empty:
                continue
            if isinstance(piece, BaseException):
                raise piece
            yield piece
            if isinstance(piece, bool):
                return
    finally:
        gone.set()
