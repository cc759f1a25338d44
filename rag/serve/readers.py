"""Texts that many requests need read in, what an encoder makes of each out, by a thread for each processor.

Each thread computes by itself and takes its share of what waits: half of the texts of a request that is alone on two
processors, and of those of many as much as a batch holds. So no thread waits for another, as it does where one batch is
divided, and no more compute than there are processors. Nobody waits for a batch to fill: what is asked while others are
read is the next. A text that is being read, or waits for that, is not read once more for another request.

What is short is next: a request has its turn when as many characters as it has have had theirs since it came, and of one
that fills several batches each has its own. So a question does not wait for the 2,000 texts that were asked before it, nor
these for all questions that come (self-clocked fair queuing: Golestani 1994). A text that several requests wait for has
the earliest of their turns.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    Read = Callable[[Sequence[str]], Any]  # to a sequence or an array with a row for each text

MOST_CHARACTERS = 6_000  # of a batch: eight passages, about as many tokens as a thread computes at a time


@dataclass(eq=False, slots=True)
class Asked:
    """A text that waits or is being read, its turn, and the numbers of the requests that need it."""

    text: str
    turn: int
    requests: set[int] = field(default_factory=set)
    found: Future[Any] = field(default_factory=Future)


@dataclass(eq=False)
class Readers:
    """Threads that read what other threads ask for, in whatever ways.

    There are as many as `threads` says when the first one is needed, and each reads within `prepare`. `watch` hears of each
    batch: the requests that need some of it, and its texts.
    """

    threads: Callable[[], int]
    prepare: Callable[[], AbstractContextManager[None]]
    watch: Callable[[int, int], None] = lambda requests, texts: None
    _waiting: dict[Read, list[tuple[int, int, Asked]]] = field(default_factory=dict)  # heaps by turn and number
    _asked: dict[tuple[Read, str], Asked] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _started: list[threading.Thread] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _turn: int = 0  # the last one of those that have been taken
    _idle: int = 0
    _closed: bool = False

    def results(self, read: Read, texts: Sequence[str]) -> list[Any]:
        """What `read` makes of each text; RagError after `close`, and what reading one of them has raised."""
        return [asked.found.result() for asked in self.ask(read, texts)]

    def ask(self, read: Read, texts: Sequence[str]) -> list[Asked]:
        """The same, before they are read."""
        wanted = 0 if self._started else self.threads()  # which makes the kernel, and may fail: not while others wait
        with self._changed:
            if self._closed:
                raise RagError("the encoder has been closed: nothing is read any more")
            while len(self._started) < wanted:
                self._started.append(threading.Thread(target=self._work, daemon=True, name="reader"))
                self._started[-1].start()
            request, total, before, found = next(self._numbers), sum(map(len, texts)), 0, list[Asked]()
            is_sooner = False
            for text in texts:
                turn = self._turn + min(total, before - before % MOST_CHARACTERS + MOST_CHARACTERS)
                asked = self._asked.get((read, text))
                if asked is None:
                    asked = self._asked[read, text] = Asked(text, turn)
                    heappush(self._waiting.setdefault(read, []), (turn, next(self._numbers), asked))
                elif turn < asked.turn:
                    asked.turn, is_sooner = turn, True
                asked.requests.add(request)
                found.append(asked)
                before += len(text)
            if is_sooner and read in self._waiting:
                self._waiting[read] = [(one.turn, number, one) for _, number, one in self._waiting[read]]
                heapify(self._waiting[read])
            self._changed.notify(len(found))
        return found

    def close(self) -> None:
        """Reads what waits, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._started:
            thread.join()

    def _work(self) -> None:
        with self.prepare():
            while taken := self._next_batch():
                self._read(*taken)

    def _next_batch(self) -> tuple[Read, list[Asked]] | None:
        """Those whose turn it is, to be read in one way, no more than other idle threads leave; None when there will be none."""
        with self._changed:
            self._idle += 1
            while not self._waiting and not self._closed:
                self._changed.wait()
            share = self._idle
            self._idle -= 1
            if not self._waiting:
                return None
            read, heap = min(self._waiting.items(), key=lambda one: one[1][0])
            waiting = 0
            for _, _, one in heap:
                waiting += len(one.text)
                if waiting >= MOST_CHARACTERS * share:
                    break  # there is a full batch for each, however much more waits
            room = min(MOST_CHARACTERS, -(-waiting // share))
            batch: list[Asked] = []
            while heap and (not batch or len(heap[0][2].text) <= room):
                turn, _, asked = heappop(heap)
                batch.append(asked)
                room -= len(asked.text)
                self._turn = max(self._turn, turn)
            if not heap:
                del self._waiting[read]
            return read, batch

    def _read(self, read: Read, batch: Sequence[Asked]) -> None:
        self.watch(len(set().union(*(one.requests for one in batch))), len(batch))
        try:
            found: Sequence[Any] = read([one.text for one in batch])
        except BaseException as error:
            # Of several, one may be at fault, such as a text that is too long.
            found = [error] if len(batch) == 1 else [result_of(read, one.text) for one in batch]
        with self._changed:
            for asked in batch:
                del self._asked[read, asked.text]
        for asked, result in zip(batch, found, strict=True):
            if isinstance(result, BaseException):
                asked.found.set_exception(result)
            else:
                asked.found.set_result(result)


def result_of(read: Read, text: str) -> Any:
    """What reading one text by itself gives, or raises."""
    try:
        return read([text])[0]
    except BaseException as error:
        return error
