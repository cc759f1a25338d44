"""Passages that the answers of many requests need in, the states of their tokens out, read by a thread for each processor.

Each thread computes by itself and takes its share of what waits: half of the passages of a request that is alone on two
processors, and of those of many as much as a batch holds. So no thread waits for another, as it does where one batch is
divided. A passage that is being read, or waits for that, is not read once more for another request.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from rag.encoder.states import TokenStates

MOST_PASSAGES = 8  # of a batch: about as many tokens as a thread computes at a time


@dataclass(eq=False, slots=True)
class Asked:
    """A passage that waits or is being read, and the numbers of the requests that need it."""

    text: str
    requests: set[int]
    states: Future[TokenStates] = field(default_factory=Future)


@dataclass(eq=False)
class Readers:
    """Threads that read what other threads ask for.

    `read` returns the states of each passage. There are as many threads as `count` says when the first one is needed, and
    each reads within `prepare`. `watch` hears of each batch: the requests that need some of it, and its passages.
    """

    read: Callable[[Sequence[str]], Sequence[TokenStates]]
    count: Callable[[], int]
    prepare: Callable[[], AbstractContextManager[None]]
    watch: Callable[[int, int], None] = lambda requests, texts: None
    _waiting: deque[Asked] = field(default_factory=deque)
    _asked: dict[str, Asked] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)
    _idle: int = 0
    _requests: int = 0
    _closed: bool = False

    def states_of(self, texts: Sequence[str]) -> list[TokenStates]:
        """The states of some passages; RagError after `close`, and what reading one of them has raised."""
        return [asked.states.result() for asked in self.ask(texts)]

    def ask(self, texts: Sequence[str]) -> list[Asked]:
        """The same, before they are read."""
        count = 0 if self._threads else self.count()  # which makes the kernel, and may fail: not while others wait
        with self._changed:
            if self._closed:
                raise RagError("the encoder has been closed: nothing is read any more")
            while len(self._threads) < count:
                self._threads.append(threading.Thread(target=self._work, daemon=True, name="reader"))
                self._threads[-1].start()
            self._requests += 1
            found = [self._asked.get(text) or self._new(text) for text in texts]
            for asked in found:
                asked.requests.add(self._requests)
            self._changed.notify_all()
        return found

    def _new(self, text: str) -> Asked:
        asked = self._asked[text] = Asked(text, set())
        self._waiting.append(asked)
        return asked

    def close(self) -> None:
        """Reads what waits, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with self.prepare():
            while batch := self._next_batch():
                self._read(batch)

    def _next_batch(self) -> list[Asked]:
        """Those that have waited longest, no more than the other idle threads leave; none when there will be no more."""
        with self._changed:
            self._idle += 1
            while not self._waiting and not self._closed:
                self._changed.wait()
            share = -(-sum(len(one.text) for one in self._waiting) // self._idle)
            self._idle -= 1
            batch: list[Asked] = []
            while self._waiting and len(batch) < MOST_PASSAGES and (not batch or len(self._waiting[0].text) <= share):
                batch.append(self._waiting.popleft())
                share -= len(batch[-1].text)
            return batch

    def _read(self, batch: Sequence[Asked]) -> None:
        self.watch(len(set().union(*(one.requests for one in batch))), len(batch))
        try:
            found: Sequence[TokenStates | BaseException] = self.read([one.text for one in batch])
        except BaseException as error:
            # Of several, one may be at fault.
            found = [error] if len(batch) == 1 else [self._one(asked.text) for asked in batch]
        with self._changed:
            for asked in batch:
                del self._asked[asked.text]
        for asked, states in zip(batch, found, strict=True):
            if isinstance(states, BaseException):
                asked.states.set_exception(states)
            else:
                asked.states.set_result(states)

    def _one(self, text: str) -> TokenStates | BaseException:
        try:
            return self.read([text])[0]
        except BaseException as error:
            return error
